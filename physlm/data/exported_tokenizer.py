"""The tokenizer of a corpus as a file of the library `tokenizers`, with the ids of a checkpoint."""

import json
from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Int64
from tokenizers import AddedToken, Tokenizer, models, processors

from physlm.data.tokens import END_OF_TEXT, Vocabulary


class ExportedTokenizer(NamedTuple):
    """A tokenizer that reads texts of a corpus as the corpus does.

    Attributes:
        tokenizer: The tokenizer, which begins each text with an end-of-text, as documents do.
        ids: Its id of each token of the corpus.
        n_ids: Number of its ids; GPT-2's has more than the corpus.
    """

    tokenizer: Tokenizer
    ids: Int64[np.ndarray, " tokens"]
    n_ids: int

    @property
    def is_whole(self) -> bool:
        """Whether it is the whole tokenizer of GPT-2, of which the corpus uses only some ids."""
        return self.n_ids > len(self.ids)


def exported_tokenizer(vocabulary: Vocabulary) -> ExportedTokenizer:
    """The tokenizer of a vocabulary.

    Words keep the ids of the corpus, and a word that the corpus lacks is an error, not another
    word. The tokens of GPT-2 have GPT-2's ids, all of them; reserved tokens come after these.
    """
    content = json.loads(vocabulary.tokenizer.to_str())
    if isinstance(vocabulary.tokenizer.model, models.WordLevel):
        ids = np.arange(vocabulary.size)
        _renumber(content, vocabulary)
    else:
        ids = vocabulary.original_ids
    for token in content["added_tokens"]:
        token["special"] = False  # else they would be missing from decoded texts
    tokenizer = Tokenizer.from_str(json.dumps(content))
    tokenizer.add_special_tokens([AddedToken(END_OF_TEXT, special=True, normalized=False)])
    end = tokenizer.token_to_id(END_OF_TEXT)
    assert end == ids[-1]
    tokenizer.post_processor = processors.TemplateProcessing(
        single=f"{END_OF_TEXT} $A",
        pair=f"{END_OF_TEXT} $A {END_OF_TEXT}:1 $B:1",
        special_tokens=[(END_OF_TEXT, end)],
    )
    return ExportedTokenizer(tokenizer, ids, tokenizer.get_vocab_size())


def _renumber(content: dict[str, Any], vocabulary: Vocabulary) -> None:
    """Give every word the id that it has in the corpus, and unknown words none."""
    whole = vocabulary.tokenizer
    words = [whole.id_to_token(int(original)) for original in vocabulary.original_ids]
    ids = {word: number for number, word in enumerate(words)}
    # The unknown token is not in the vocabulary, so that an unknown word is an error.
    content["model"] |= {"vocab": ids, "unk_token": ""}
    for token in content["added_tokens"]:
        token["id"] = ids[token["content"]]
