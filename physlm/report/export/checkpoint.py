"""The model and the tokenizer of a run as a `transformers` checkpoint, compared with the run."""

from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch

from physlm.data.corpus import Corpus
from physlm.data.exported_tokenizer import ExportedTokenizer, exported_tokenizer
from physlm.data.tokens import END_OF_TEXT
from physlm.errors import InputError
from physlm.models.absent_tokens import TokenIds
from physlm.models.decoder import Decoder
from physlm.models.language_model import LanguageModel
from physlm.models.transformers_format import save_transformers

_CHECKED_DOCUMENTS = 16
_TOLERANCE = 1e-4  # of scores, relative to the largest


class Checkpoint(NamedTuple):
    """An exported model, and how it compares with the run.

    Attributes:
        model: As `transformers` loads it.
        tokenizer: As `transformers` loads it.
        kind: Such as ``gpt_neox``.
        n_compared: Tokens of documents after which all scores were compared.
        largest_difference: Of a score, between the checkpoint and the run.
        absent_probability: Largest total probability of tokens that the world does not have; None
            if there are none.
    """

    model: Any
    tokenizer: Any
    kind: str
    n_compared: int
    largest_difference: float
    absent_probability: float | None


def decoder_of(model: LanguageModel, name: str) -> Decoder:
    """The model, if it predicts the next token.

    Raises:
        InputError: If it is an encoder, or no model that was trained here.
    """
    if not model.is_causal:
        raise InputError(
            f"{name} has an encoder, which predicts masked tokens; AutoModelForCausalLM loads "
            "decoders only, such as those of model=gpt2 and model=llama"
        )
    if not isinstance(model, Decoder):
        raise InputError(
            f"{name} has measured a {type(model).__name__}, not trained it; export a run that "
            "trained a decoder"
        )
    return model


def write_checkpoint(model: Decoder, corpus: Corpus, folder: Path) -> Checkpoint:
    """Write weights, configuration and tokenizer, and load them again to compare them.

    Raises:
        InputError: If no format of `transformers` expresses the model.
        RuntimeError: If the checkpoint's scores or token ids of a document differ from the run's.
    """
    tokenizer = exported_tokenizer(corpus.vocabulary)
    whole = TokenIds(torch.from_numpy(tokenizer.ids), tokenizer.n_ids)
    save_transformers(model, folder, whole if tokenizer.is_whole else None)
    _as_fast(tokenizer, model.seq_len).save_pretrained(folder)
    return _compared(model, corpus, tokenizer, folder)


def _as_fast(tokenizer: ExportedTokenizer, seq_len: int) -> Any:
    from transformers import PreTrainedTokenizerFast

    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer.tokenizer,
        bos_token=END_OF_TEXT,
        eos_token=END_OF_TEXT,
        pad_token=END_OF_TEXT,
        padding_side="left",
        clean_up_tokenization_spaces=False,
        model_max_length=seq_len,
    )


@torch.no_grad()
def _compared(
    model: Decoder, corpus: Corpus, tokenizer: ExportedTokenizer, folder: Path
) -> Checkpoint:
    from transformers import AutoModelForCausalLM, AutoTokenizer

    theirs = AutoModelForCausalLM.from_pretrained(folder).eval()
    reader = AutoTokenizer.from_pretrained(folder)
    difference, absent, n_compared = 0.0, 0.0, 0
    is_absent = np.ones(tokenizer.n_ids, dtype=bool)
    is_absent[tokenizer.ids] = False
    for document in _documents(corpus):
        _require_same_ids(reader, corpus, document, tokenizer.ids)
        tokens = torch.from_numpy(document[: model.seq_len].astype(np.int64))
        ours = model(tokens[None])[0]
        found = theirs(torch.from_numpy(tokenizer.ids)[tokens][None]).logits[0]
        largest = float((found[:, tokenizer.ids] - ours).abs().max())
        if not largest <= _TOLERANCE * max(1.0, float(ours.abs().max())):
            raise RuntimeError(f"the checkpoint's scores differ by {largest:g}; report this")
        difference, n_compared = max(difference, largest), n_compared + len(tokens)
        if tokenizer.is_whole:
            of_absent = found.softmax(dim=-1)[:, is_absent].sum(dim=-1).max()
            absent = max(absent, float(of_absent))
    return Checkpoint(
        theirs,
        reader,
        theirs.config.model_type,
        n_compared,
        difference,
        absent if tokenizer.is_whole else None,
    )


def _documents(corpus: Corpus) -> list[np.ndarray]:
    """The first documents of the first epoch."""
    documents = corpus.epoch(0, 0, min(_CHECKED_DOCUMENTS, corpus.n_documents))
    return np.split(documents.tokens, documents.starts[1:-1])


def _require_same_ids(reader: Any, corpus: Corpus, document: np.ndarray, ids: np.ndarray) -> None:
    """Require that a text gets the tokens that the corpus has, after the first."""
    text = corpus.vocabulary.decode(document[1:])
    if reader(text, add_special_tokens=False)["input_ids"] != ids[document[1:]].tolist():
        raise RuntimeError(f"the exported tokenizer gives {text[:60]!r} other ids; report this")
