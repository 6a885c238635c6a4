"""The model of a scorecard: a finished run, a checkpoint, or a model behind an endpoint."""

import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from physlm.config import RunConfig, composed
from physlm.config.recorded import recorded
from physlm.config.words import quoted
from physlm.data.public.corpus import PublicFiguresConfig
from physlm.errors import InputError
from physlm.report.exploration.source import source_of

# The scorers of a run's own world, by the name of the test.
OWN = {
    "capacity": "capacity",
    "recall": "recall",
    "qa": "qa",
    "manipulation": "manipulation",
    "task": "task_accuracy",
    "cfg": "cfg_accuracy",
    "igsm": "igsm",
}
FIGURES, DEPTH, SPECTRA = "figures", "depth", "spectra"


@dataclass(frozen=True, slots=True)
class Options:
    """How models are tested.

    Attributes:
        tests: Names of the tests, in order.
        n_people: Public figures asked about; None for all.
        n_shots: Questions with answers before each question about them.
        max_new_tokens: Of an answer about them.
        statements: File of right and wrong statements about them.
        texts: File of texts that checkpoints read to show how they use their depth.
        runs_dir: Folder that gets the runs of the tests.
        seed: Of the choice of people, pairs and shots.
    """

    tests: Sequence[str]
    n_people: int | None
    n_shots: int
    max_new_tokens: int
    statements: Path
    texts: Path
    runs_dir: Path
    seed: int


@dataclass(frozen=True, slots=True)
class Subject:
    """One model to be tested.

    Attributes:
        name: How it was named on the command line.
        kind: run, checkpoint or endpoint.
        words: Overrides that name the model.
        path: Of a run or a checkpoint.
    """

    name: str
    kind: str
    words: tuple[str, ...]
    path: Path | None = None

    def configuration(self, test: str, options: Options) -> RunConfig | None:
        """The run of a test; None if the test does not apply to models of this kind.

        Raises:
            InputError: If the model or a value is refused.
        """
        words = self._words_of(test, options)
        if words is None:
            return None
        is_own_world = self.kind == "run" and test != FIGURES
        # In its own world a run is measured with its own seed.
        seed = () if is_own_world else (f"seed={options.seed}",)
        runs_dir = f"runs_dir={quoted(str(options.runs_dir))}"
        return replace(composed((*self.words, *words, *seed, runs_dir)), experiment="scorecard")

    def _words_of(self, test: str, options: Options) -> tuple[str, ...] | None:
        """Overrides of a test; None if it does not apply."""
        if test in OWN:
            return (f"eval={OWN[test]}",) if self.kind == "run" else None
        if test == DEPTH:
            return self._words_of_depth(options)
        if test == FIGURES:
            return (
                "eval=public_figures",
                f"eval.public_figures.n_people={_value(options.n_people)}",
                f"eval.public_figures.n_shots={options.n_shots}",
                f"eval.public_figures.max_new_tokens={options.max_new_tokens}",
                f"eval.public_figures.has_hints={_value(options.n_shots > 0)}",
                "eval.public_figures.has_paraphrases=true",
            )
        if self.kind == "endpoint":
            return None
        spectra = ("eval=spectra", "eval.spectra.n_problems=100", "eval.spectra.drop_first=[0]")
        if self.path is not None and self.kind == "run" and not self._knows_figures:
            return spectra
        return (*spectra, "data=labelled", f"data.source={quoted(str(options.statements))}")

    def _words_of_depth(self, options: Options) -> tuple[str, ...] | None:
        depth = (
            "eval=depth",
            "eval.depth.lens=logit",
            "eval.depth.n_predictions=2000",
            "eval.depth.n_lens_tokens=4096",
        )
        if self.kind == "run":
            return depth
        if self.kind == "endpoint":
            return None
        return (*depth, "data=texts", f"data.source={quoted(str(options.texts))}")

    @property
    def _knows_figures(self) -> bool:
        """Whether a run was trained on public figures."""
        assert self.path is not None
        return isinstance(recorded(self.path).data, PublicFiguresConfig)


def of_path(path: Path) -> Subject:
    """The run or checkpoint at a path.

    Raises:
        InputError: If it is neither, or the run is not finished.
    """
    found = source_of(path)
    name = quoted(str(found.path.resolve()))
    if found.is_run:
        words = ("data=inherited", "model=inherited", "stage=measure", f"init_from={name}")
        return Subject(str(path), "run", words, found.path)
    return Subject(
        str(path),
        "checkpoint",
        ("data=public_figures", "model=checkpoint", f"model.path={name}"),
        found.path,
    )


def of_endpoint(address: str, model: str) -> Subject:
    """The model behind an endpoint.

    Raises:
        InputError: If the address is not one, or the model has no name.
    """
    if not address.startswith(("http://", "https://")):
        raise InputError(f"--endpoint {address}; must begin with http:// or https://")
    if not model:
        raise InputError(f"--endpoint {address} needs --model, the name of its model")
    world = (
        "data=public_figures",
        "model=endpoint",
        f"model.address={quoted(address)}",
        f"model.name={quoted(model)}",
    )
    return Subject(f"{model} at {address}", "endpoint", world)


def _value(value: object) -> str:
    return json.dumps(value)
