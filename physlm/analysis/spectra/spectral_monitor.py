"""A live monitor of texts that go wrong: alarms by spectra and by log-probability."""

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, ClassVar

from physlm.data.corpus import require_at_least
from physlm.data.labelled import Labelled
from physlm.errors import InputError, refused_values
from physlm.eval.scorer import ScorerConfig
from physlm.measurement import Measurement
from physlm.registry import register

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from physlm.data.corpus import Corpus
    from physlm.models.language_model import LanguageModel


@register("eval", "spectral_monitor")
@dataclass(kw_only=True, slots=True)
class SpectralMonitorConfig(ScorerConfig):
    """Whether attention spectra detect, while a text is written, that it has gone wrong.

    Texts are read token by token as in decoding. Each monitor is calibrated on right texts of half
    of the problems, so that a given fraction of them raises an alarm, and picks its value (metric,
    layer and head; or the log-probability of the last token, the mean or the least so far) there;
    it is measured on the other half. Values are compared after equally many tokens only, without
    those that are given, such as the problem before its solution. The untrained model has a monitor
    of its own, and the right text of each pair shows how often an alarm would have been raised
    after the same position by chance.
    """

    figure_names: ClassVar[tuple[str, ...]] = ("spectral_monitor",)
    version: ClassVar[int] = 3
    table_names: ClassVar[tuple[str, ...]] = ("monitor_alarms", "monitor_traces")

    corruption: str | None = None  # null: the first of the world
    n_errors: int = 1  # errors in each wrong text
    n_problems: int = 300  # problems, each with a right and a wrong text; half calibrate
    # Spectral metrics that a monitor may choose: energy, smoothness, fiedler.
    metrics: list[str] = field(default_factory=lambda: ["energy", "smoothness", "fiedler"])
    false_alarms: float = 0.05  # fraction of right texts, at any of their tokens
    n_outside: int = 2  # tokens in a row that raise an alarm
    n_prompt: int = 4  # tokens, from the last given one on, that are read before any is watched
    batch_size: int = 100  # texts of equal length

    def validate(self) -> None:
        """Every value in its range."""
        require_at_least(self, 1, "n_errors", "n_outside", "batch_size")
        require_at_least(self, 2, "n_prompt")
        if not 0 < self.false_alarms < 1:
            raise ValueError(f"false_alarms={self.false_alarms}; must lie between 0 and 1")
        if self.n_problems * self.false_alarms < 4:
            raise ValueError(
                f"n_problems={self.n_problems} with false_alarms={self.false_alarms}: half of the "
                "problems calibrate, and must allow at least 2 false alarms; raise either"
            )

    def check(self, model: "LanguageModel", corpus: "Corpus") -> None:
        """The model is a decoder of physlm, and the world has right and wrong texts."""
        from physlm.models.decoder import Decoder

        if not isinstance(model, Decoder):
            raise InputError(
                "eval=spectral_monitor needs a decoder of physlm, which alone shows attention "
                "token by token, and this model is not one"
            )
        if not isinstance(corpus, Labelled):
            raise InputError(
                "eval=spectral_monitor: this world has no right and wrong texts; use "
                "data=cfg, sums, igsm, brackets or bios"
            )
        if self.corruption not in (None, *corpus.corruptions):
            raise InputError(
                f"corruption={self.corruption}; use one of {', '.join(corpus.corruptions)}"
            )
        corruption = self.corruption or corpus.corruptions[0]
        with refused_values():
            corpus.labelled(self.n_problems, corruption, self.n_errors)

    def measure(self, model: "LanguageModel", corpus: "Corpus") -> Measurement:
        """Detection, delay, false alarms and cost of each monitor."""
        from physlm.analysis.spectra.monitor_metrics import measured_monitors

        return measured_monitors(self, model, corpus)

    def figures(self, measurement: Measurement) -> dict[str, "Figure"]:
        """Traces of some texts with the position of the error."""
        from physlm.analysis.spectra.monitor_figure import draw_monitor

        return {"spectral_monitor": draw_monitor(measurement)}
