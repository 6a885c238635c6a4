"""Models without one of their layers."""

import copy
from dataclasses import replace

from physlm.models.transformer import Transformer


def without_layer(model: Transformer, layer: int) -> Transformer:
    """A copy in which one layer, counted from 0, is passed by."""
    shorter = copy.deepcopy(model)
    del shorter.blocks[layer]
    shorter.config = replace(model.config, n_layers=model.config.n_layers - 1)
    return shorter
