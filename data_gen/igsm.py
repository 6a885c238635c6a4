"""Write an iGSM corpus: `python -m data_gen.igsm output=corpora/igsm`."""

from data_gen.generate import main

if __name__ == "__main__":
    main("igsm")
