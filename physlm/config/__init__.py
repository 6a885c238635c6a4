"""The configuration of a run: its schema, its YAML files, and its lineage."""

from physlm.config.compose import composed, register, run_config, typed
from physlm.config.files import config_dir
from physlm.config.recorded import recorded
from physlm.config.scale import Scale
from physlm.config.schema import Parent, RunConfig, Stage

__all__ = [
    "Parent",
    "RunConfig",
    "Scale",
    "Stage",
    "composed",
    "config_dir",
    "recorded",
    "register",
    "run_config",
    "typed",
]
