"""Context-free languages: grammars, exact oracles, corpora."""

from physlm.data.cfg.grammar import Grammar
from physlm.data.cfg.library import load_grammar

__all__ = ["Grammar", "load_grammar"]
