"""Write a depo corpus, with its targets: `python -m data_gen.depo output=corpora/depo`."""

from data_gen.generate import main

if __name__ == "__main__":
    main("depo")
