"""Mixed training: biographies of all people and questions about some, from the start."""

from dataclasses import dataclass, field, replace

from physlm.data.corpus import DataConfig
from physlm.data.mixture import Mixture
from physlm.data.people.bios import BiosConfig
from physlm.data.people.questions import QuestionsConfig
from physlm.registry import register


@register("data", "mixed")
@dataclass(kw_only=True, slots=True)
class MixedConfig(DataConfig):
    """Biographies and questions, each in windows of its own.

    ``exposures`` counts exposures of the biographies, and ``seq_len`` applies to both parts; both
    override the fields of the parts.

    Source:
        Physics of Language Models, Part 3.1, section 3.
    """

    biographies: BiosConfig = field(
        default_factory=lambda: BiosConfig(include_question_vocabulary=True)
    )
    questions: QuestionsConfig = field(default_factory=QuestionsConfig)
    question_fraction: float = 0.8  # of the windows

    def validate(self) -> None:
        """Require a fraction that leaves windows for both parts."""
        DataConfig.validate(self)
        if not 0 < self.question_fraction < 1:
            raise ValueError(
                f"question_fraction={self.question_fraction}; must be above 0 and below 1"
            )

    def build(self, seed: int) -> Mixture:
        """Biographies of the people, mixed with questions about them."""
        people = replace(self.biographies, exposures=self.exposures).build(seed)
        questions = self.questions.follow(people, seed)
        return Mixture((people, questions), (1 - self.question_fraction, self.question_fraction))
