"""The training documents that a filter keeps, out of those that an earlier run was trained on."""

import hashlib
from dataclasses import dataclass
from enum import Enum
from functools import cached_property
from pathlib import Path

import numpy as np
from jaxtyping import Bool, Float, Int64

from physlm.data.corpus import Corpus, DataConfig, Documents, OneLine
from physlm.data.corrupted import Corrupted
from physlm.data.tokens import Vocabulary
from physlm.errors import InputError
from physlm.frames import read_frame
from physlm.registry import register
from physlm.rng import stream
from physlm.run_directory import RunDirectory

SCORES = "filter_scores"  # the table of the earlier run, with one row per document


class KeptBy(str, Enum):
    """The criterion by which a filter keeps documents.

    ``none`` keeps all. ``spectra`` and ``log_probability`` keep those with the highest scores of
    the earlier run. ``random`` draws them; ``truth`` keeps uncorrupted ones first.
    """

    none = "none"
    spectra = "spectra"
    log_probability = "log_probability"
    random = "random"
    truth = "truth"

    @property
    def is_score(self) -> bool:
        """Whether the earlier run has to measure it."""
        return self in {KeptBy.spectra, KeptBy.log_probability}


@register("data", "filtered")
@dataclass(kw_only=True, slots=True)
class FilteredConfig(DataConfig):
    """The first epoch of the run that ``init_from`` names, or the best documents of it.

    Every epoch has the same documents. The earlier run measures their scores with
    eval=spectral_filter and ``scores_all=true``.
    """

    by: KeptBy = KeptBy.spectra
    kept_fraction: float = 0.8  # of the documents; by=none keeps all
    exposures: int = 1  # epochs, each of the same documents

    def validate(self) -> None:
        """Require every value in its range."""
        DataConfig.validate(self)
        if not 0 < self.kept_fraction <= 1:
            raise ValueError(f"kept_fraction={self.kept_fraction}; must be above 0 and at most 1")

    def build(self, seed: int) -> Corpus:  # noqa: ARG002
        """Refused: there are no documents to filter without an earlier run.

        Raises:
            ValueError: Always.
        """
        raise ValueError("data=filtered keeps documents of another run; name it by init_from")

    def follow_run(self, earlier: Corpus, seed: int, run_dir: Path) -> "FilteredCorpus":
        """The documents of an earlier run that the filter keeps.

        Raises:
            ValueError: If the earlier run has no corrupted documents.
            InputError: If the earlier run is finished without scores.
        """
        if not isinstance(earlier, Corrupted) or not _corrupted_fraction(earlier):
            raise ValueError(
                "data=filtered needs a parent run with corrupted documents; set "
                "data.corrupted_fraction in init_from (data=sums, brackets or cfg)"
            )
        # Asked once, here: until the earlier run is finished, nothing is trained or measured.
        is_scored = self.by.is_score and RunDirectory(run_dir).record.exists()
        scores = _scores(run_dir, self.by, earlier.n_documents) if is_scored else None
        return FilteredCorpus(self, earlier, seed, scores)


@dataclass(frozen=True, eq=False, repr=False)
class FilteredCorpus(OneLine):
    """A part of the documents of another corpus.

    Attributes:
        config: The configuration that it was built from.
        whole: The corpus of the earlier run.
        seed: Seed of the documents that by=random keeps.
        scores: Score of each document of the first epoch; None if documents are not kept by scores,
            or the earlier run is not trained yet: checks before that read its first documents.
    """

    config: FilteredConfig
    whole: Corpus
    seed: int
    scores: Float[np.ndarray, " documents"] | None

    @cached_property
    def kept(self) -> Int64[np.ndarray, " kept"]:
        """Numbers of the documents that are kept, ascending."""
        n, n_kept = self.whole.n_documents, self.n_documents
        if self.config.by is KeptBy.random:
            order = stream(self.seed, "filtered").permutation(n)
        elif self.config.by is KeptBy.truth:
            assert isinstance(self.whole, Corrupted)
            order = np.argsort(self.whole.is_corrupted(0, 0, n), kind="stable")
        elif self.scores is not None:
            order = np.argsort(-self.scores, kind="stable")
        else:
            order = np.arange(n)
        return np.sort(order[:n_kept])

    @property
    def vocabulary(self) -> Vocabulary:
        """The vocabulary of the whole corpus."""
        return self.whole.vocabulary

    @property
    def n_documents(self) -> int:
        """Documents that are kept."""
        is_all = self.config.by is KeptBy.none
        fraction = 1.0 if is_all else self.config.kept_fraction
        return max(1, round(fraction * self.whole.n_documents))

    @property
    def n_epochs(self) -> int:
        """Epochs of training, each of the same documents."""
        return self.config.exposures

    @property
    def entropy_bits(self) -> float:
        """Entropy of the whole corpus, in bits."""
        return self.whole.entropy_bits

    def fingerprint(self) -> str:
        """SHA-256 over the whole corpus, the filter and the seed.

        The scores are a function of the earlier run, whose id is part of this run's.
        """
        config = self.config
        content = (self.whole.fingerprint(), config.by.value, config.kept_fraction, self.seed)
        return hashlib.sha256(repr(content).encode()).hexdigest()

    def epoch(self, number: int, first: int, last: int) -> Documents:  # noqa: ARG002
        """Documents ``first`` to ``last - 1`` of those kept; the same in every epoch."""
        chosen = self.kept[first:last]
        before, after = int(chosen[0]), int(chosen[-1]) + 1
        documents = self.whole.epoch(0, before, after)
        is_kept = np.zeros(after - before, dtype=bool)
        is_kept[chosen - before] = True
        lengths = np.diff(documents.starts)
        starts = np.concatenate([[0], np.cumsum(lengths[is_kept])])
        is_kept_token = np.repeat(is_kept, lengths)
        marks = None if documents.is_target is None else documents.is_target[is_kept_token]
        return Documents(documents.tokens[is_kept_token], starts.astype(np.int64), is_target=marks)

    def is_corrupted(self, number: int, first: int, last: int) -> Bool[np.ndarray, " documents"]:  # noqa: ARG002
        """Which of the kept documents ``first`` to ``last - 1`` are corrupted."""
        assert isinstance(self.whole, Corrupted)
        of_whole: np.ndarray = self.whole.is_corrupted(0, 0, self.whole.n_documents)
        found: np.ndarray = of_whole[self.kept[first:last]]
        return found


def unfiltered(corpus: Corpus) -> Corpus:
    """The corpus that a filter keeps documents of, or the corpus itself."""
    return corpus.whole if isinstance(corpus, FilteredCorpus) else corpus


def _corrupted_fraction(corpus: Corrupted) -> float:
    """Fraction of the first documents that are corrupted."""
    assert isinstance(corpus, Corpus)
    return float(corpus.is_corrupted(0, 0, min(1000, corpus.n_documents)).mean())


def _scores(run_dir: Path, by: KeptBy, n: int) -> Float[np.ndarray, " documents"]:
    directory = RunDirectory(run_dir)
    record, path = directory.read_record(), directory.table(SCORES)
    assert record is not None
    if not path.exists():
        raise InputError(
            f"data.by={by.value}: {run_dir} has no scores of documents; measure it with "
            "eval=spectral_filter eval.spectral_filter.scores_all=true"
        )
    scores: np.ndarray = read_frame(path, record.sha256.get(path.name))[by.value].to_numpy()
    if len(scores) != n:
        raise InputError(
            f"{path} has scores of {len(scores)} documents, but the corpus has {n}; measure "
            "it again"
        )
    return scores
