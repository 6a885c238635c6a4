"""Write a bios corpus: `python -m data_gen.bios output=corpora/bios`."""

from data_gen.generate import main

if __name__ == "__main__":
    main("bios")
