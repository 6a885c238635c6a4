"""Manipulation tasks, whose answers follow from known facts, and synthetic reasoning tasks."""

from physlm.data.tasks.brevo import Brevo
from physlm.data.tasks.copy import Copy
from physlm.data.tasks.depo import Depo
from physlm.data.tasks.igsm import Igsm
from physlm.data.tasks.mano import Mano

__all__ = ["Brevo", "Copy", "Depo", "Igsm", "Mano"]
