"""Whether a model that learnt a grammar holds its nonterminals, and where their subtrees end."""

from dataclasses import dataclass, field

import numpy as np
import torch
from jaxtyping import Bool, Float
from torch import Tensor

from physlm.analysis.probing import Labels, ProbeRecipe, Reach, fit_probes, is_found
from physlm.data.cfg.corpus import CfgCorpus
from physlm.data.cfg.derivation import Strings
from physlm.data.corpus import Corpus, require_at_least
from physlm.errors import InputError
from physlm.eval.cfg_distribution import (
    fitting,
    require_cfg,
    require_inner_levels,
    require_room,
    require_strings,
)
from physlm.eval.scorer import ScorerConfig, mean
from physlm.models.language_model import LanguageModel
from physlm.record import Metric
from physlm.registry import register


@register("eval", "cfg_probing")
@dataclass(kw_only=True, slots=True)
class CfgProbingConfig(ScorerConfig):
    """Accuracy of probes for the ancestor on each level, and for the ends of its subtrees.

    Full probes are scored at all positions, the others where a subtree of the level ends, and, as
    a control, where none does. All are trained on the model and on the same architecture with
    random weights; what the first finds beyond the second, training has put there.

    Source:
        Physics of Language Models, Part 1, results 4 and 5 (NT6 is the level above the terminals).
    """

    n_train: int = 1000  # strings that probes are trained on
    n_test: int = 300
    reaches: list[Reach] = field(default_factory=lambda: [Reach.full, Reach.diagonal])
    n_heads: int = 16
    d_position: int = 256
    n_steps: int = 300
    batch_size: int = 60

    def validate(self) -> None:
        """Every value in its range."""
        require_at_least(self, 2, "n_train", "n_test")
        require_at_least(self, 1, "n_heads", "d_position", "n_steps", "batch_size")
        if not self.reaches:
            raise ValueError("reaches=[]; one of full, diagonal, tridiagonal at least")
        if len(set(self.reaches)) < len(self.reaches):
            raise ValueError(f"reaches={[r.value for r in self.reaches]}; name each once")

    def check(self, model: LanguageModel, corpus: Corpus) -> None:
        """The grammar has levels to look for, and the model's window holds most strings."""
        corpus = require_cfg("cfg_probing", corpus)
        require_inner_levels("cfg_probing", corpus.grammar)
        require_room(model, corpus.grammar.length_distribution)
        for part, n in (("train", self.n_train), ("test", self.n_test)):
            require_strings("cfg_probing", model, corpus, ["probing", part], **{f"n_{part}": n})
        for method in ("hidden_states", "untrained"):
            if not model.shows(method):
                raise InputError(f"eval=cfg_probing: {type(model).__name__} has no {method}")

    def score(self, model: LanguageModel, corpus: Corpus) -> list[Metric]:
        """Accuracies of the model, of the untrained one, and their differences."""
        assert isinstance(corpus, CfgCorpus)
        train, test = (
            fitting(model, corpus.measured(n, "probing", name, derivations=True))
            for n, name in ((self.n_train, "train"), (self.n_test, "test"))
        )
        longest = int(max(train.lengths.max(), test.lengths.max()))
        found = [
            self._found(subject, corpus, train, test, longest)
            for subject in (model, model.untrained(corpus.seed).eval())
        ]
        metrics = []
        for reach in self.reaches:
            metrics += _compared(
                *(_accuracies(is_right[reach], test, corpus, reach) for is_right in found)
            )
        return metrics

    def _found(
        self, model: LanguageModel, corpus: CfgCorpus, train: Strings, test: Strings, longest: int
    ) -> dict[Reach, Bool[np.ndarray, "questions strings positions"]]:
        """Where probes trained on a model's states of some strings are right about others."""
        recipe = ProbeRecipe(
            n_heads=self.n_heads, d_position=self.d_position, n_steps=self.n_steps,
            batch_size=self.batch_size,
        )  # fmt: skip
        taught, asked = (_states(model, corpus, part, longest) for part in (train, test))
        lessons = _labels(corpus, train, longest, taught.device)
        questions = _labels(corpus, test, longest, taught.device)
        found = {}
        for reach in self.reaches:
            probes = fit_probes(taught, lessons, reach, recipe, seed=corpus.seed)
            found[reach] = is_found(probes, asked, questions).cpu().numpy()
        return found


@torch.no_grad()
def _states(
    model: LanguageModel, corpus: CfgCorpus, strings: Strings, longest: int
) -> Float[Tensor, "strings positions width"]:
    """The last hidden state at every token; 0 behind a string's end.

    What stands behind it is hidden from encoders, which would read it.
    """
    rows = torch.from_numpy(corpus.documents(strings).rows(corpus.vocabulary.eos)).long()
    tokens = rows.to(model.device)
    is_read = torch.arange(rows.shape[1]) <= torch.from_numpy(strings.lengths)[:, None]
    is_read = is_read.to(model.device)
    states: list[Tensor] = []
    for part, is_part in zip(torch.split(tokens, 64), torch.split(is_read, 64), strict=True):
        segments = None if model.is_causal else is_part.long()
        states.append(model.hidden_states(part, segments).float() * is_part[..., None])
    whole = torch.cat(states)[:, 1:]
    return torch.nn.functional.pad(whole, (0, 0, 0, longest - whole.shape[1]))


def _labels(corpus: CfgCorpus, strings: Strings, longest: int, device: torch.device) -> Labels:
    """For every inner level which of its symbols is the ancestor, then whether its subtree ends."""
    truth, levels = strings.derivations, corpus.grammar.levels
    assert truth is not None
    inner = range(1, len(levels) - 1)
    rows = [np.searchsorted(levels[i], truth.ancestors[i]) for i in inner]
    rows += [truth.is_boundary[i].astype(np.int64) for i in inner]
    is_asked = np.arange(longest) < strings.lengths[:, None]
    classes = np.zeros((len(rows), len(strings), longest), dtype=np.int64)
    classes[:, is_asked] = np.stack(rows)
    return Labels(
        n_classes=(*(len(levels[i]) for i in inner), *(2 for _ in inner)),
        classes=torch.from_numpy(classes).to(device),
        is_asked=torch.from_numpy(is_asked).to(device),
    )


def _accuracies(
    is_right: Bool[np.ndarray, "questions strings positions"],
    strings: Strings,
    corpus: CfgCorpus,
    reach: Reach,
) -> dict[str, Float[np.ndarray, " _"]]:
    """Share of right answers in each string, by question and where it was asked."""
    truth, n_levels = strings.derivations, len(corpus.grammar.levels)
    assert truth is not None
    is_token = np.arange(is_right.shape[2]) < strings.lengths[:, None]
    is_end = np.zeros((n_levels, *is_token.shape), dtype=np.bool_)
    is_end[:, is_token] = truth.is_boundary
    found = {}
    for k, level in enumerate(range(2, n_levels)):
        ancestor, boundary = is_right[k], is_right[n_levels - 2 + k]
        if reach is Reach.full:
            found[f"ancestor/full/NT{level}"] = _share(ancestor, is_token)
        else:
            ends = is_end[level - 1]
            found[f"ancestor/{reach.value}_at_ends/NT{level}"] = _share(ancestor, ends)
            elsewhere = _share(ancestor, is_token & ~ends)
            found[f"ancestor/{reach.value}_elsewhere/NT{level}"] = elsewhere
        found[f"boundary/{reach.value}/NT{level}"] = _share(boundary, is_token)
    return found


def _share(
    is_right: Bool[np.ndarray, "strings positions"], is_asked: Bool[np.ndarray, "strings positions"]
) -> Float[np.ndarray, " asked"]:
    """Of the positions asked, for each string; without those where none is."""
    n_asked = is_asked.sum(axis=1)
    shares: np.ndarray = (is_right & is_asked).sum(axis=1)[n_asked > 0] / n_asked[n_asked > 0]
    return shares


def _compared(
    trained: dict[str, Float[np.ndarray, " strings"]],
    untrained: dict[str, Float[np.ndarray, " strings"]],
) -> list[Metric]:
    """Accuracies of both and their difference, string by string, where anything was asked."""
    metrics = []
    for name, shares in trained.items():
        if len(shares) == 0:  # no string has such a position
            continue
        metrics += [
            mean(f"probe/{name}", shares, "accuracy"),
            mean(f"probe_untrained/{name}", untrained[name], "accuracy"),
            mean(f"probe_gain/{name}", shares - untrained[name], "accuracy"),
        ]
    return metrics
