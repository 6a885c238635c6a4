"""Runs from Python, in notebooks and scripts.

```python
import physlm

run = physlm.run("+experiment=capacity_1000x", n_people=200)
print(run.metrics)
print(physlm.score(run, "recall").metrics)
```

Libraries that compute are loaded when they are first used.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from physlm.config import RunConfig, composed, recorded
from physlm.errors import InputError, refused_values
from physlm.outcome import Outcome, settled_outcome
from physlm.record import RunRecord, read_record
from physlm.report.exploration.source import source_of
from physlm.run_directory import RunDirectory, read_curves
from physlm.science import flatten
from physlm.suggestions import did_you_mean
from physlm.train.runtime import is_main_process

if TYPE_CHECKING:
    import numpy as np
    import polars as pl
    from torch import Tensor

    from physlm.data.corpus import Corpus
    from physlm.models.language_model import LanguageModel
    from physlm.preparation import World
    from physlm.report.exploration.subject import Subject

_BATCH = 512  # questions answered at once
_NOT_OWN = ("ancestor.", "kinds.")  # parts of a described configuration that are no keys
_LAST = ("value", "stderr", "n", "unit")  # columns of metrics, after the dimensions


@dataclass(frozen=True, eq=False)
class Run:
    """A finished run.

    Attributes:
        path: Its directory.
        config: Its configuration.
        record: Everything known about it: versions, counts, metrics, hashes.
    """

    path: Path
    config: RunConfig
    record: RunRecord

    @property
    def metrics(self) -> pl.DataFrame:
        """One row per metric: its name, a column for each dimension, value, stderr, n and unit."""
        import polars as pl

        rows = [
            {"metric": one.name, **one.dims} | {name: getattr(one, name) for name in _LAST}
            for one in self.record.metrics
        ]
        table = pl.DataFrame(rows, infer_schema_length=None)
        return table.select(pl.exclude(_LAST), *_LAST)

    @property
    def curves(self) -> pl.DataFrame:
        """The learning curves: one row per logged step, empty where nothing was trained."""
        import polars as pl

        path = RunDirectory(self.path).metrics
        return pl.DataFrame(read_curves(path) if path.is_file() else [], infer_schema_length=None)

    def table(self, name: str) -> pl.DataFrame:
        """A table that a scorer kept, such as ``qa_answers``.

        Raises:
            InputError: If the run has no such table, or it has changed.
        """
        from physlm.frames import read_frame

        path = RunDirectory(self.path).table(name)
        if path.name not in self.record.sha256:
            known = [
                n.removesuffix(".parquet") for n in self.record.sha256 if n.endswith("parquet")
            ]
            raise InputError(
                f"{self.path} has no table {name}; it has {', '.join(sorted(known)) or 'none'}"
            )
        return read_frame(path, self.record.sha256[path.name])

    @property
    def model(self) -> LanguageModel:
        """The trained model, in evaluation mode, on a GPU if there is one."""
        return self._world.model

    @property
    def corpus(self) -> Corpus:
        """What it was trained on, or measured against; ``corpus.vocabulary`` has its tokens."""
        return self._world.corpus

    @cached_property
    def _world(self) -> World:
        from physlm.report.exploration.run_subject import world_of

        return world_of(self.path)

    @cached_property
    def _subject(self) -> Subject:
        from physlm.report.exploration.opened import subject_of

        return subject_of(str(self.path), self._world)

    def __repr__(self) -> str:
        """Experiment, seed and directory."""
        return f"Run({self.record.experiment}, seed={self.config.seed}, {str(self.path)!r})"


def run(*words: str | RunConfig, **keys: object) -> Run:
    """Carry out one run, or take up where it stopped; a finished one is only loaded.

    Args:
        words: Overrides, as on the command line: ``"+experiment=extraction"``,
            ``"data.n_people=100"``. Or one configuration.
        keys: Values of keys by their last part, such as ``n_people=100`` or ``seed=1``. The full
            key is needed, as an override, where several keys end so.

    Returns:
        The finished run.

    Raises:
        InputError: If a key or value is refused, or the words describe several runs.
        DivergedError: If the loss stopped being a number.
        UnmeasuredError: If a scorer failed; the trained model is kept.
    """
    config = _configuration(words, keys)
    if len(config.points) > 1:
        raise InputError(
            f"these words describe {len(config.points)} runs; use [physlm.run(..., seed=seed) for "
            "seed in range(n)], or the command line"
        )
    (point,) = config.points
    outcome = carried_out(point)
    assert outcome is not None  # in the main process
    outcome.record.raise_unless_finished()
    return Run(outcome.path.parent, point, outcome.record)


def load(path: str | Path) -> Run:
    """A finished run.

    Args:
        path: Its directory, its ``record.json``, or its id in the folder ``runs``.

    Raises:
        InputError: If there is no such run, it is not finished, or this version of physlm would
            make another run of its configuration.
    """
    path = Path(path)
    if not path.exists() and (Path("runs") / path).exists():
        path = Path("runs") / path
    source = source_of(path)
    if not source.is_run:
        raise InputError(
            f"{path} is a checkpoint; measure it with physlm.run('+experiment=inside', "
            f"'data=texts', 'model=checkpoint', path={str(path)!r}, ...)"
        )
    record = read_record(RunDirectory(source.path).record)
    record.raise_unless_finished()
    return Run(source.path, recorded(source.path), record)


def score(of: Run, scorer: str, *words: str, **keys: object) -> Run:
    """Measure a finished run with another scorer; nothing is trained.

    The measurement is a run of its own beside the first, so that it is kept, and made only once.

    Args:
        of: The run whose model and world are measured.
        scorer: An option of ``eval``, such as ``"recall"``, ``"depth"`` or ``"spectra"``.
        words: Further overrides.
        keys: Fields of the scorer, such as ``max_people=100``.

    Raises:
        InputError: If the scorer cannot measure this run, or a value is refused.
        UnmeasuredError: If it fails.
    """
    own = (
        "+experiment=inside",
        f"init_from={_value(of.path.resolve())}",
        f"eval={scorer}",
        f"runs_dir={_value(of.path.resolve().parent)}",
    )
    return run(*own, *words, **keys)


def generate(
    of: Run,
    prompts: str | Iterable[str],
    *,
    max_new_tokens: int = 20,
    temperature: float = 0.0,
    top_k: int | None = None,
    seed: int = 0,
) -> pl.DataFrame:
    """Continuations of texts, one row each.

    Args:
        of: The run.
        prompts: Texts in the words of its world; each is read as the beginning of a document.
        max_new_tokens: Of each continuation, including its end.
        temperature: Divides the logits; 0 takes the likeliest token every time.
        top_k: Draw from the k likeliest tokens only; None draws from all.
        seed: Of the random numbers.

    Returns:
        Columns ``prompt``, ``continuation`` and ``is_ended``: whether the model ended it.

    Raises:
        InputError: If a prompt has a word that the model does not know, or is too long.
    """
    import polars as pl

    from physlm.eval.generate import generate as generated
    from physlm.eval.sampling import Sampling

    texts, subject = _listed(prompts), of._subject
    if of.model.text is not None:
        raise InputError(
            f"{of.path} measured a checkpoint, which writes with its own tokenizer; use "
            "python -m physlm.explore"
        )
    sampling = Sampling(
        max_new_tokens=max_new_tokens,
        eos=of.corpus.vocabulary.eos,
        temperature=temperature,
        top_k=top_k,
    )
    found = generated(of.model, list(map(subject.tokens_of, texts)), sampling, seed=seed)
    written = [subject.text_of(tokens.tolist()) for tokens in found.tokens]
    return pl.DataFrame({"prompt": texts, "continuation": written, "is_ended": found.is_ended})


def ask(of: Run, questions: str | Iterable[str], *, max_new_tokens: int = 64) -> pl.DataFrame:
    """Answers to questions, decoded greedily, one row each.

    Args:
        of: A run whose model answers questions, such as one of ``+experiment=extraction``.
        questions: Such as ``"What is the birth city of Ann Cole?"``, in the words of its world.
        max_new_tokens: Of an answer, including its end.

    Returns:
        Columns ``question``, ``answer`` and ``is_ended``: whether the model ended it.

    Raises:
        InputError: If the world has no questions, or the model does not know a word.
    """
    import polars as pl

    from physlm.data.people.question_vocabulary import ANSWER
    from physlm.eval.answers import greedy_answers

    texts, vocabulary = _listed(questions), of.corpus.vocabulary
    with refused_values():
        prompts = [vocabulary.encode_document(text.strip() + ANSWER) for text in texts]
    answers = greedy_answers(
        of.model, vocabulary, prompts, max_new_tokens=max_new_tokens, batch_size=_BATCH
    )
    columns = dict(zip(("answer", "is_ended"), zip(*answers, strict=True), strict=True))
    return pl.DataFrame({"question": texts, **columns})


def logit_lens(of: Run, text: str) -> pl.DataFrame:
    """What each state predicts after each token of a text, read by the logit lens.

    Args:
        of: The run.
        text: In the words of its world.

    Returns:
        One row per token and state: ``position`` and ``token``, ``state`` (0 is the embedding, the
        last what the model predicts), ``prediction`` and its ``probability``, ``kl_nats`` (of the
        model's prediction from the state's), and ``final_rank`` (the rank that the state gives to
        the token which the model predicts).

    Raises:
        InputError: If the model is an encoder, or does not know a word.
    """
    import polars as pl

    from physlm.analysis.depth import Positions, trace
    from physlm.analysis.lenses import LogitLens

    tokens, ids = _read(of, text)
    by_state = ["state", "top1", "top1_probability", "kl_nats", "final_rank"]
    rows = trace(of.model, ids, LogitLens(of.model), Positions(skip_first=0))
    rows = rows.select("position", *by_state).explode(by_state)
    texts = of._subject.texts_of(rows["top1"].to_list())
    return rows.select(
        "position",
        pl.col("position").replace_strict(dict(enumerate(tokens))).alias("token"),
        "state",
        pl.col("top1").replace_strict(texts).alias("prediction"),
        pl.col("top1_probability").alias("probability"),
        "kl_nats",
        "final_rank",
    )


class Residuals(NamedTuple):
    """The residual stream while a model reads a text.

    Attributes:
        tokens: The text of each token, as the model reads it.
        states: Numbers of the states; state k is the residual stream after k blocks.
        values: ``states x tokens x width``, never normed.
    """

    tokens: list[str]
    states: list[int]
    values: np.ndarray


class AttentionPatterns(NamedTuple):
    """Attention weights while a model reads a text.

    Attributes:
        tokens: The text of each token, as the model reads it.
        layers: Numbers of the layers, from 0.
        values: ``layers x heads x queries x keys``; the weights of a query sum to 1.
    """

    tokens: list[str]
    layers: list[int]
    values: np.ndarray


def residuals(of: Run, text: str, states: Sequence[int] | None = None) -> Residuals:
    """The residual stream while a model reads a text.

    Args:
        of: The run.
        text: In the words of its world.
        states: State numbers, from 0 (the embedding) to the number of layers; None for all.

    Raises:
        InputError: If there is no such state, or the model does not know a word.
    """
    tokens, ids = _read(of, text)
    wanted = list(range(of.model.n_layers + 1)) if states is None else list(states)
    values = of.model.residuals(ids, wanted)[:, 0].detach()
    return Residuals(tokens, wanted, values.float().cpu().numpy())


def attention_patterns(
    of: Run, text: str, layers: Sequence[int] | None = None
) -> AttentionPatterns:
    """Attention weights while a model reads a text.

    Args:
        of: The run.
        text: In the words of its world.
        layers: Layers, counted from 0; None for all.

    Raises:
        InputError: If there is no such layer, the model has no attention weights, or it does not
            know a word.
    """
    import numpy as np

    tokens, ids = _read(of, text)
    found = [
        (n, own[0].float().cpu().numpy()) for n, own in of.model.attention_patterns(ids, layers)
    ]
    return AttentionPatterns(tokens, [n for n, _ in found], np.stack([own for _, own in found]))


def carried_out(config: RunConfig, *, waits: bool = False) -> Outcome | None:
    """The outcome of a run; for a finished one only the record is loaded.

    Args:
        config: Of the run.
        waits: Whether to wait for another process that works on it.

    Returns:
        The outcome; None in every process of a distributed run but the first.
    """
    directory = RunDirectory(config.run_dir)
    if is_main_process() and (done := settled_outcome(config, directory)) is not None:
        return done
    from physlm.pipeline import execute  # loads torch

    return execute(config, directory, waits=waits)


def _configuration(words: Sequence[str | RunConfig], keys: Mapping[str, object]) -> RunConfig:
    """The configuration that the arguments of `run` describe."""
    given = [word for word in words if isinstance(word, RunConfig)]
    if given and (len(words) > 1 or keys):
        raise InputError("a configuration beside other words; change its fields instead")
    if given:
        return given[0]
    texts = tuple(word for word in words if isinstance(word, str))
    known = _keys_of(composed(texts)) if keys else []
    return composed((*texts, *(f"{_full(k, known)}={_value(v)}" for k, v in keys.items())))


def _keys_of(config: RunConfig) -> list[str]:
    """All keys of a configuration, as on the command line."""
    return [key for key in flatten(config.described()) if not key.startswith(_NOT_OWN)]


def _full(name: str, known: Sequence[str]) -> str:
    """The key that ends with a name.

    Raises:
        InputError: If there is none, or there are several.
    """
    if name in known:
        return name
    found = [key for key in known if key.rpartition(".")[2] == name]
    if len(found) == 1:
        return found[0]
    if found:
        raise InputError(f"{name}= could be {' or '.join(found)}; write one as '{found[0]}=...'")
    near = did_you_mean(name, (key.rpartition(".")[2] for key in known))
    raise InputError(f"unknown key {name}{near or '; python -m physlm.run --help lists the keys'}")


def _value(value: object) -> str:
    """A value as on the command line."""
    if isinstance(value, Enum):
        value = value.value
    if isinstance(value, Run):
        value = value.path.resolve()
    if isinstance(value, str | Path):
        escaped = str(value).replace("\\", "\\\\").replace("'", "\\'")
        return f"'{escaped}'"
    return json.dumps(value)


def _listed(texts: str | Iterable[str]) -> list[str]:
    return [texts] if isinstance(texts, str) else list(texts)


def _read(of: Run, text: str) -> tuple[list[str], Tensor]:
    """The tokens of a text, as texts, and as a batch of one row of ids."""
    import torch

    row = of._subject.tokens_of(text)
    texts = of._subject.texts_of(row)
    return [texts[token] for token in row], torch.tensor([row], device=of.model.device)
