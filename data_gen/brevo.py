"""Write a brevo corpus, with its targets: `python -m data_gen.brevo output=corpora/brevo`."""

from data_gen.generate import main

if __name__ == "__main__":
    main("brevo")
