"""Configuration of loggers, and whether W&B can be used."""

import netrc
import os
import re
from dataclasses import dataclass
from enum import Enum
from urllib.parse import urlsplit

from physlm.errors import InputError
from physlm.schema import Schema


class Tracker(str, Enum):
    """Local files only, CSV tables in addition, or Weights & Biases in addition."""

    local = "local"
    csv = "csv"
    wandb = "wandb"


@dataclass(kw_only=True, slots=True)
class LoggerConfig(Schema):
    """Logger settings: none changes a result or enters the run id."""

    kind: Tracker = Tracker.local
    project: str = "physlm"  # W&B project
    entity: str | None = None  # W&B team; None is your own
    group: str | None = None  # W&B group; None is the experiment's name

    def require(self) -> None:
        """Refuse a malformed W&B key; whether the server accepts it is seen at the first request.

        Raises:
            InputError: If W&B is selected and its key is malformed.
        """
        if self.kind is not Tracker.wandb or not is_logged_in():
            return
        key = _key() or ""
        if not re.fullmatch(r"[\w.-]{40,}", key):
            raise InputError(
                f"the key of W&B has {len(key)} characters; a key has 40 or more, all of them "
                "letters, digits, - or _: correct WANDB_API_KEY or run wandb login, or set "
                "WANDB_MODE=offline"
            )


def is_logged_in() -> bool:
    """Whether to use W&B online: there is a key, and WANDB_MODE does not say offline."""
    is_offline = os.environ.get("WANDB_MODE") in {"offline", "disabled", "dryrun"}
    return not is_offline and _key() is not None


def _key() -> str | None:
    """The W&B key from the environment, or from the file that ``wandb login`` writes."""
    if key := os.environ.get("WANDB_API_KEY"):
        return key
    try:
        hosts = netrc.netrc(os.environ.get("NETRC")).hosts
    except (OSError, netrc.NetrcParseError):
        return None
    server = urlsplit(os.environ.get("WANDB_BASE_URL", "")).netloc or "wandb"
    return next((password for host, (_, _, password) in hosts.items() if server in host), None)
