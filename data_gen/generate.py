"""What all corpus commands share: compose a configuration and write its corpus."""

import json
import sys
from dataclasses import asdict, dataclass
from pathlib import Path

from hydra.core.config_store import ConfigStore
from omegaconf import MISSING, DictConfig, OmegaConf

from physlm.config import register, typed
from physlm.config.application import run_application
from physlm.data.corpus import DataConfig, require_at_least
from physlm.data.export import Writable, write_corpus
from physlm.errors import InputError, refused_values
from physlm.messages import explain
from physlm.schema import Schema


@dataclass(kw_only=True, slots=True)
class GenerateConfig(Schema):
    """A corpus and its output folder."""

    output: str = MISSING  # a folder that does not exist yet
    epochs: int = 1  # epochs to write: exposures of every person, or further strings or documents
    seed: int = 0  # of the world
    data: DataConfig = MISSING  # the world

    def validate(self) -> None:
        """Require counts in range."""
        require_at_least(self, 0, "seed")
        require_at_least(self, 1, "epochs")


def main(world: str) -> None:
    """Write the corpus of a world; the last line of standard output is its folder."""
    register()
    ConfigStore.instance().store(name="corpus_schema", node=GenerateConfig)
    try:
        run_application(sys.argv[1:], _generate, f"corpus_{world}")
    except Exception as error:  # noqa: BLE001 - the last handler: every error becomes one line
        sys.exit(explain(error))


def require_output(composed: DictConfig, what: str) -> None:
    """Require that an output is given.

    Raises:
        InputError: If it is not; the message says how to give it.
    """
    if OmegaConf.is_missing(composed, "output"):
        raise InputError(f"output is missing; write {what}")


def _generate(composed: DictConfig) -> None:
    try:
        require_output(composed, "output=FOLDER")
        config = typed(composed, GenerateConfig)
        with refused_values():
            corpus = config.data.build(config.seed)
        assert isinstance(corpus, Writable)
        description = {"seed": config.seed, "data": json.loads(json.dumps(asdict(config.data)))}
        folder = write_corpus(
            corpus, Path(config.output), n_epochs=config.epochs, description=description
        )
    except Exception as error:  # noqa: BLE001 - reported here, before Hydra adds lines of its own
        sys.exit(explain(error))
    print(f"corpus: {folder}")  # noqa: T201 - the command's result
