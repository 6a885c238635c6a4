"""Right and wrong texts in the tokens of the model that is measured."""

from collections.abc import Sequence

import numpy as np

from physlm.data.corpus import Corpus
from physlm.data.files.labelled_texts import LabelledTextsCorpus
from physlm.data.labelled import Labelled, LabelledTexts
from physlm.errors import InputError
from physlm.eval.scorer import require_window
from physlm.models.language_model import LanguageModel


def require_corruptions(scorer: str, corpus: Corpus, names: Sequence[str] | None) -> None:
    """Require a world with right and wrong texts, and corruptions that it has.

    Raises:
        InputError: Naming the scorer, or the first unknown corruption.
    """
    if not isinstance(corpus, Labelled):
        raise InputError(
            f"eval={scorer}: this world has no right and wrong texts; use "
            "data=cfg, sums, igsm, brackets, bios or labelled"
        )
    known = corpus.corruptions
    if unknown := [name for name in names or () if name not in known]:
        raise InputError(f"corruptions={unknown[0]}; use one of {', '.join(known)}")


def model_texts(
    model: LanguageModel,
    corpus: Corpus,
    corruption: str,
    *,
    n_problems: int,
    n_errors: int,
    n_least: int = 2,
) -> LabelledTexts:
    """The texts of a corpus, in those of the model's own tokenizer if it has one.

    Args:
        model: The model that will read them.
        corpus: A world with right and wrong texts.
        corruption: Corruption of the wrong texts.
        n_problems: Number of problems.
        n_errors: Errors of each wrong text.
        n_least: Minimum number of tokens of a text.

    Raises:
        InputError: If a text has fewer tokens, or more than the model can read.
        ValueError: If the world has no such texts.
    """
    assert isinstance(corpus, Labelled)
    if isinstance(corpus, LabelledTextsCorpus) and model.text is not None:
        corpus.require_one_error(n_problems, corruption, n_errors)
        texts = corpus.tokenised(model.text.tokens_of, n_problems)
    else:
        texts = corpus.labelled(n_problems, corruption, n_errors)
    shortest = int(np.argmin(texts.n_tokens))
    if (n := int(texts.n_tokens[shortest])) < n_least:
        raise InputError(
            f"text {shortest} of problem {texts.problem[shortest]} has {n} "
            f"token{'s' * (n != 1)}; its graph needs at least {n_least}; leave out such texts"
        )
    require_window(model, "labelled texts", int(texts.n_tokens.max()))
    return texts
