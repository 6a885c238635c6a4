"""Every kind of world, model and scorer, by the name that configuration files give it."""

from hydra.core.config_store import ConfigStore

from physlm.analysis.cfg_attention import CfgAttentionConfig
from physlm.analysis.cfg_probing import CfgProbingConfig
from physlm.analysis.layer_removal import LayerRemovalConfig
from physlm.analysis.people_probing import PProbeConfig, QProbeConfig
from physlm.config.files import use_scales
from physlm.config.schema import RunConfig
from physlm.data.bio.biod import BiodConfig
from physlm.data.bio.bior import BiorConfig
from physlm.data.bio.bios import BiosConfig
from physlm.data.bio.junk import JunkConfig
from physlm.data.bio.manipulation import ManipulationConfig
from physlm.data.bio.mixed import MixedConfig
from physlm.data.bio.questions import QuestionsConfig
from physlm.data.cfg.corpus import CfgConfig
from physlm.data.public.corpus import PublicFiguresConfig
from physlm.eval.bio import BioConfig
from physlm.eval.capacity import CapacityConfig
from physlm.eval.cfg_accuracy import CfgAccuracyConfig
from physlm.eval.cfg_distribution import CfgDistributionConfig
from physlm.eval.cfg_robustness import CfgRobustnessConfig
from physlm.eval.manipulation import ManipulationScorerConfig
from physlm.eval.public_figures import PublicFiguresScorerConfig
from physlm.eval.qa import QaConfig
from physlm.models.checkpoint import CheckpointConfig
from physlm.models.decoder import DecoderConfig
from physlm.models.encoder import EncoderConfig
from physlm.models.inherited import InheritedConfig

SCHEMAS: dict[str, type] = {
    "bios": BiosConfig, "bior": BiorConfig, "biod": BiodConfig, "cfg": CfgConfig,
    "questions": QuestionsConfig, "manipulation": ManipulationConfig, "mixed": MixedConfig,
    "junk": JunkConfig, "public_figures": PublicFiguresConfig,
    "decoder": DecoderConfig, "encoder": EncoderConfig, "inherited": InheritedConfig,
    "checkpoint": CheckpointConfig, "asks_public_figures": PublicFiguresScorerConfig,
    "capacity": CapacityConfig, "bio": BioConfig, "qa": QaConfig, "p_probe": PProbeConfig,
    "q_probe": QProbeConfig, "manipulates": ManipulationScorerConfig,
    "layer_removal": LayerRemovalConfig,
    "cfg_accuracy": CfgAccuracyConfig, "cfg_distribution": CfgDistributionConfig,
    "cfg_robustness": CfgRobustnessConfig, "cfg_probing": CfgProbingConfig,
    "cfg_attention": CfgAttentionConfig,
}  # fmt: skip


def register_schemas() -> None:
    """Make the typed schemas known to Hydra, as classes, so that each YAML file is checked."""
    use_scales()
    store = ConfigStore.instance()
    store.store(name="run_schema", node=RunConfig)
    for name, schema in SCHEMAS.items():
        store.store(group="schema", name=name, node=schema)
