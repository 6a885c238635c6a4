"""Write a biod corpus: `python -m data_gen.biod output=corpora/biod`."""

from data_gen.generate import main

if __name__ == "__main__":
    main("biod")
