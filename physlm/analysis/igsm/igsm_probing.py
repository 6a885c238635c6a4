"""Probing of iGSM models: what they know of a problem before and while they solve it."""

import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, ClassVar

from physlm.analysis.igsm.probe_task import ProbeTask
from physlm.data.corpus import require_at_least
from physlm.errors import InputError
from physlm.eval.scorer import ScorerConfig, require_causal, require_window
from physlm.measurement import Measurement
from physlm.registry import register

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from physlm.analysis.igsm.probe_predictions import ProbePlan
    from physlm.data.corpus import Corpus
    from physlm.data.tasks.igsm import Igsm
    from physlm.data.tasks.task_corpus import TaskCorpus
    from physlm.models.language_model import LanguageModel


@register("eval", "igsm_probing")
@dataclass(kw_only=True, slots=True)
class IgsmProbingConfig(ScorerConfig):
    """Whether states encode which parameters are needed, depend on each other, and come next.

    The text is cut, and the description of a parameter, or of two, is appended between ``<start>``
    and ``<end>``. A linear head reads the normed last state at ``<end>``. It is trained together
    with a low-rank update of the input embedding, with all other weights frozen, on problems with
    training templates; it is tested on problems with test templates. The same probes of a model
    with random weights, and the most common class, are the controls. ``nece`` is also read from the
    state after every block, by the model's final norm, and its accuracy split by the distance of
    the parameter from the question. Finally, the model solves the test problems itself, and its
    probes are scored on the parameters that it computes unnecessarily or too early. Retry upon
    regret writes a solution again from the first step that the probe of ``can_next`` flags, beside
    a perfect detector, and a random one that flags as large a fraction of the steps as the probe.

    Solutions are those without ``[back]``, also of models that were trained with it. Standard
    errors are over problems.

    Source:
        Physics of Language Models, Part 2.1, sections on probing and on mistakes, and Part 2.2 for
        retry upon regret. Tasks are balanced in training here, which needs fewer steps.
    """

    version: ClassVar[int] = 2
    figure_names: ClassVar[tuple[str, ...]] = ("igsm_probing",)
    table_names: ClassVar[tuple[str, ...]] = ("igsm_probe_predictions", "igsm_mistakes")

    tasks: list[ProbeTask] = field(default_factory=lambda: list(ProbeTask))
    layers: list[int] | None = None  # states that nece is read from; null: after every block
    longer_op: int | None = None  # operations of longer problems; null: a third more than op_max
    n_train_problems: int = 2000  # problems that probes are trained on
    n_test_problems: int = 200  # of each set
    n_draws: int = 10  # queries about a problem and task, at most
    # Tasks with as many true as false training queries about each problem.
    balanced_tasks: list[ProbeTask] = field(
        default_factory=lambda: [ProbeTask.nece, ProbeTask.dep, ProbeTask.nece_next]
    )
    n_retries: int = 10  # of a solution, upon regret of the probe of can_next; 0: none
    embedding_rank: int = 8  # of the update; 0: the head alone is trained
    n_steps: int = 300  # 100,000 in the paper
    batch_size: int = 32  # queries per step
    learning_rate: float = 2e-3  # of AdamW
    weight_decay: float = 0.01  # of AdamW

    def validate(self) -> None:
        """Every value in its range."""
        require_at_least(self, 1, "n_steps", "batch_size")
        require_at_least(self, 2, "n_train_problems", "n_test_problems", "n_draws")
        require_at_least(self, 0, "n_retries", "embedding_rank", "weight_decay")
        if not 0 < self.learning_rate < math.inf:
            raise ValueError(f"learning_rate={self.learning_rate}; must be above 0")
        for name in ("tasks", "balanced_tasks"):
            chosen = [task.value for task in getattr(self, name)]
            if len(set(chosen)) < len(chosen):
                raise ValueError(f"{name}={chosen}; name each task once")
        if not self.tasks:
            raise ValueError(f"tasks=[]; name at least one of {', '.join(ProbeTask)}")
        if ProbeTask.value in self.balanced_tasks:
            raise ValueError(
                "balanced_tasks: value has more than two classes; leave it out of balanced_tasks"
            )

    def check(self, model: "LanguageModel", corpus: "Corpus") -> None:
        """The world is iGSM with long enough problems, and the model is a causal transformer."""
        from physlm.models.language_model import chosen
        from physlm.models.transformer import transformer

        corpus, task = _igsm(corpus)
        require_causal("igsm_probing", model, "attends to both sides")
        transformer(model, "eval=igsm_probing")
        require_window(model, "problems", corpus.config.seq_len)
        if self.layers:
            chosen(self.layers, model.n_layers + 1, "state")
        longer_op = self._longer_op(task)
        most = task.difficulties["op"][1]
        if not task.op_max < longer_op <= most:
            raise InputError(
                f"longer_op={longer_op}; must be above data.op_max={task.op_max}, at most {most}"
            )
        for difficulty in ({"test": 1}, {"test": 1, "op": longer_op}):
            try:
                _probed_task(corpus, task).numbered(0, 0, 1, difficulty)
            except ValueError as error:
                raise InputError(f"eval=igsm_probing: {error}") from error

    def measure(self, model: "LanguageModel", corpus: "Corpus") -> Measurement:
        """Scores of all probes, gains over the random model, and errors of probes at mistakes."""
        from physlm.analysis.igsm.mistakes import mistake_metrics, mistakes_of
        from physlm.analysis.igsm.probe_metrics import prediction_table, probe_metrics
        from physlm.analysis.igsm.probe_predictions import probed, problem_sets
        from physlm.analysis.igsm.regret import regret_metrics
        from physlm.analysis.igsm.written import written

        corpus, task = _igsm(corpus)
        sets = problem_sets(
            _probed_task(corpus, task),
            corpus.seed,
            self._longer_op(task),
            self.n_train_problems,
            self.n_test_problems,
        )
        found = probed(model, sets, self._plan(model), corpus.seed)
        solutions = {name: written(model, own) for name, own in sets.test.items()}
        mistakes = mistakes_of(found.probes, solutions, self.batch_size)
        metrics = [
            *probe_metrics(found.predicted, model.n_layers),
            *mistake_metrics(mistakes, self.tasks, sum(map(len, solutions.values()))),
        ]
        if self.n_retries and ProbeTask.can_next in found.probes:
            metrics += regret_metrics(
                model,
                found.probes[ProbeTask.can_next],
                sets.test,
                solutions,
                n_retries=self.n_retries,
                batch_size=self.batch_size,
                seed=corpus.seed,
            )
        tables = {
            "igsm_probe_predictions": prediction_table(found.predicted),
            "igsm_mistakes": mistakes,
        }
        return Measurement(tuple(metrics), tables=tables)

    def figures(self, measurement: Measurement) -> dict[str, "Figure"]:
        """Accuracy by task beside its controls, and ``nece`` by state and distance."""
        from physlm.analysis.igsm.probe_figure import draw_probes

        return {"igsm_probing": draw_probes(measurement.metrics)}

    def _plan(self, model: "LanguageModel") -> "ProbePlan":
        from physlm.analysis.adapted_probe import AdaptedProbeRecipe, StateNorm
        from physlm.analysis.igsm.probe_predictions import ProbePlan

        layers = range(1, model.n_layers) if self.layers is None else self.layers
        return ProbePlan(
            tasks=self.tasks,
            layers=[layer for layer in layers if layer != model.n_layers],
            n_draws=self.n_draws,
            balanced_tasks=self.balanced_tasks,
            recipe=AdaptedProbeRecipe(
                embedding_rank=self.embedding_rank,
                norm=StateNorm.none,
                n_steps=self.n_steps,
                batch_size=self.batch_size,
                learning_rate=self.learning_rate,
                weight_decay=self.weight_decay,
                n_batches_by_length=8,
            ),
        )

    def _longer_op(self, task: "Igsm") -> int:
        if self.longer_op is not None:
            return self.longer_op
        return max(task.op_max + 1, math.ceil(4 * task.op_max / 3))


def _probed_task(corpus: "TaskCorpus", task: "Igsm") -> "Igsm":
    from physlm.analysis.igsm.probe_predictions import probed_task

    return probed_task(task, corpus.config.seq_len)


def _igsm(corpus: "Corpus") -> "tuple[TaskCorpus, Igsm]":
    """The corpus and its task.

    Raises:
        InputError: If the corpus is not iGSM.
    """
    from physlm.data.mixture import part_of
    from physlm.data.tasks.igsm import Igsm
    from physlm.data.tasks.task_corpus import TaskCorpus

    found = part_of(corpus, TaskCorpus)
    if found is None or not isinstance(found.task, Igsm):
        raise InputError("eval=igsm_probing measures models of iGSM only; use data=igsm")
    return found, found.task
