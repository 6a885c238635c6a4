"""Write a copy corpus, with its targets: `python -m data_gen.copy output=corpora/copy`."""

from data_gen.generate import main

if __name__ == "__main__":
    main("copy")
