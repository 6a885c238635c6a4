"""Write a mano corpus, with its targets: `python -m data_gen.mano output=corpora/mano`."""

from data_gen.generate import main

if __name__ == "__main__":
    main("mano")
