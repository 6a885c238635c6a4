"""Write a bior corpus: `python -m data_gen.bior output=corpora/bior`."""

from data_gen.generate import main

if __name__ == "__main__":
    main("bior")
