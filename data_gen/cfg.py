"""Write a cfg corpus, with derivations: `python -m data_gen.cfg output=corpora/cfg`."""

from data_gen.generate import main

if __name__ == "__main__":
    main("cfg")
