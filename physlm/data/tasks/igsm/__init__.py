"""iGSM: problems of grade-school mathematics, and the checker of their solutions."""

from physlm.data.tasks.igsm.checker import check
from physlm.data.tasks.igsm.corpus import IgsmConfig, IgsmCorpus
from physlm.data.tasks.igsm.igsm import Igsm, Problems
from physlm.data.tasks.igsm.options import Layout, ParentPreference, RetryKind, SizeLaw
from physlm.data.tasks.igsm.parameter import Parameter, Rule
from physlm.data.tasks.igsm.problem import Problem
from physlm.data.tasks.igsm.problem_reading import read_problem
from physlm.data.tasks.igsm.verdict import Fault, FaultKind, Verdict
from physlm.data.tasks.igsm.world import WORLD, Category, Place, World

__all__ = [
    "WORLD",
    "Category",
    "Fault",
    "FaultKind",
    "Igsm",
    "IgsmConfig",
    "IgsmCorpus",
    "Layout",
    "Parameter",
    "ParentPreference",
    "Place",
    "Problem",
    "Problems",
    "RetryKind",
    "Rule",
    "SizeLaw",
    "Verdict",
    "World",
    "check",
    "read_problem",
]
