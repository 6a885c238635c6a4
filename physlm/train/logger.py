"""Configuration of loggers."""

from dataclasses import dataclass
from enum import Enum

from physlm.schema import Schema


class Tracker(str, Enum):
    """Local files only, CSV tables in addition, or Weights & Biases in addition."""

    local = "local"
    csv = "csv"
    wandb = "wandb"


@dataclass(kw_only=True, slots=True)
class LoggerConfig(Schema):
    """Logger settings: none changes a result or enters the run id."""

    kind: Tracker = Tracker.local  # files in the run directory, and what is written beside them
    project: str = "physlm"  # W&B project
    entity: str | None = None  # W&B team; null: your own
    group: str | None = None  # W&B group; null groups runs that differ in their seeds alone
    keeps_weights: bool = True  # upload the trained weights to W&B

    def require(self) -> None:
        """Refuse a malformed W&B key; whether the server accepts it is seen at the first request.

        Raises:
            InputError: If W&B is selected and its key is malformed.
        """
        if self.kind is Tracker.wandb:
            from physlm.train.wandb_run import is_online

            is_online()
