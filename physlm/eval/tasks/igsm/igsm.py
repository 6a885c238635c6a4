"""Solutions and answers of iGSM: whole ones, step by step, and without steps."""

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, ClassVar

from physlm.data.corpus import require_at_least
from physlm.errors import InputError, refused_values
from physlm.eval.scorer import ScorerConfig, require_causal, require_generation, require_window
from physlm.measurement import Measurement, Metric
from physlm.registry import register

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from physlm.data.corpus import Corpus
    from physlm.data.tasks.igsm import Igsm
    from physlm.data.tasks.task_corpus import TaskCorpus
    from physlm.models.language_model import LanguageModel


@register("eval", "igsm")
@dataclass(kw_only=True, slots=True)
class IgsmScorerConfig(ScorerConfig):
    """Accuracy of generated solutions, by the checker, on templates that are never trained on.

    Sets of problems (dimension ``set``): ``trained``, operations by the law of training, overall
    and by ``op``; ``longest``, the most operations of training; ``longer``, each number of ``ops``;
    and ``reask``, the problems of the first of these with the question redrawn uniformly among all
    parameters. ``known_templates`` is like ``trained``, but with training templates: a control,
    because few operations have few templates. A problem whose shortest solution does not fit into a
    training window is dropped (``igsm/dropped``).

    A solution is right (``igsm/accuracy``) if it ends and the checker finds no fault.
    ``igsm/answer_accuracy`` is the fraction with the right number; ``igsm/format``, ``order``,
    ``calculation`` and ``necessity`` are fractions of solutions without faults of an aspect. A
    solution that cannot be read is right in none, since nothing in it can be checked.
    ``igsm/first_fault`` is the fraction of wrong solutions that go wrong by each fault first;
    ``igsm/unfinished`` that of solutions that did not end within ``max_length_ratio`` times the
    longest one of the set. ``igsm/unnecessary`` are needless parameters of right solutions,
    ``igsm/back`` those taken back, in right and in wrong ones. ``igsm/chance`` is the accuracy of
    the answer that is most common in training.

    Under the true prefix, ``igsm/token_accuracy`` and ``igsm/loss_nats`` show which tokens
    (dimension ``role``) a model predicts. Letters are drawn at random where they are introduced
    (``new_letter``), and no model predicts those.

    ``igsm/answer_accuracy{given=k}`` is measured without generating steps: the answer is asked for
    after k true sentences. Worlds that withhold sentences in training have no whole solutions, and
    are measured by the answers alone, for each number of operations (``shorter`` and ``longest``),
    and with ``known_templates``.

    Source:
        Physics of Language Models, Parts 2.1 and 2.2 (4096 problems of each set; greedy decoding or
        4 beams).
    """

    figure_names: ClassVar[tuple[str, ...]] = ("igsm",)
    table_names: ClassVar[tuple[str, ...]] = ("igsm_solutions",)

    n_problems: int = 300  # of each set
    ops: list[int] | None = None  # above those of training; null: up to four thirds of them
    has_reask: bool = True  # measure the set `reask`, too
    n_beams: int = 1  # 1: greedy decoding; more: `beam_search` at temperature 1
    given: list[int] = field(default_factory=lambda: [0])  # true sentences before the answer
    max_length_ratio: float = 2.0  # longest generated solution over the longest true one of a set
    batch_size: int = 128  # problems at once
    n_curve_problems: int = 60  # same as n_problems, during training

    def validate(self) -> None:
        """Every value in its range."""
        require_at_least(self, 1, "n_problems", "n_beams", "batch_size", "n_curve_problems")
        require_at_least(self, 1, "max_length_ratio")
        for name, values in (("ops", self.ops or []), ("given", self.given)):
            if len(set(values)) < len(values):
                raise ValueError(f"{name}={values}; name each number once")
        if min(self.given, default=0) < 0:
            raise ValueError(f"given={self.given}; must be numbers of sentences, at least 0")

    def longer_than(self, op_max: int) -> list[int]:
        """The numbers of operations above ``op_max`` that are measured."""
        from physlm.eval.tasks.igsm.problem_sets import longer_operations

        return longer_operations(op_max) if self.ops is None else self.ops

    def check(self, model: "LanguageModel", corpus: "Corpus") -> None:
        """The corpus is iGSM with problems of every set, and the model can solve them."""
        from physlm.eval.tasks.igsm.igsm_metrics import measured_sets
        from physlm.eval.tasks.igsm.problem_sets import igsm_task
        from physlm.eval.tasks.igsm.solutions import most_new_tokens

        require_causal("igsm", model, "writes no solutions")
        require_generation(model)
        igsm = _igsm_corpus(corpus)
        self._require_longer(igsm_task(igsm))
        with refused_values():
            sets = [asked for asked in measured_sets(self, igsm) if asked.questions]
        if not sets:
            raise InputError(
                f"eval.igsm: no problem fits into a window of {igsm.config.seq_len} tokens with "
                "its solution; raise data.seq_len"
            )
        for asked in sets:
            n_new = most_new_tokens(asked, self.max_length_ratio)
            longest = max(len(question.prompt) for question in asked.questions) + n_new
            what = f"problems and {self.max_length_ratio:g} times their longest solution"
            require_window(model, what, longest, n_unread=1)

    def _require_longer(self, task: "Igsm") -> None:
        most = task.difficulties["op"][1]
        for op in self.ops or ():
            if not task.op_max < op <= most:
                raise InputError(
                    f"eval.igsm.ops={self.ops}; must be above data.op_max={task.op_max}, "
                    f"at most {most}"
                )

    def measure(self, model: "LanguageModel", corpus: "Corpus") -> Measurement:
        """Accuracies of all sets, and the table of solutions."""
        from physlm.eval.tasks.igsm.igsm_metrics import measured_igsm

        return measured_igsm(self, model, _igsm_corpus(corpus))

    def curve(self, model: "LanguageModel", corpus: "Corpus") -> list[Metric]:
        """Accuracies and predicted tokens of a few problems as in training, and their control."""
        from physlm.eval.tasks.igsm.igsm_metrics import igsm_curve

        return igsm_curve(self, model, _igsm_corpus(corpus))

    def figures(self, measurement: Measurement) -> dict[str, "Figure"]:
        """Accuracy by number of operations, and what goes wrong first."""
        from physlm.eval.tasks.igsm.igsm_figure import draw_igsm

        return {"igsm": draw_igsm(measurement)}


def _igsm_corpus(corpus: "Corpus") -> "TaskCorpus":
    from physlm.data.mixture import part_of
    from physlm.data.tasks.igsm.igsm import Igsm
    from physlm.data.tasks.task_corpus import TaskCorpus

    found = part_of(corpus, TaskCorpus)
    if found is None or not isinstance(found.task, Igsm):
        raise InputError("eval=igsm measures solutions of iGSM only; use data=igsm")
    return found
