"""Early exit, as blocks saved and in decoding, and the model without each of its blocks."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from physlm.analysis.depth.exit_rule import ExitCriterion
from physlm.analysis.depth.lens_scorer import LensScorerConfig
from physlm.data.corpus import require_at_least, require_some
from physlm.errors import InputError
from physlm.measurement import Measurement
from physlm.registry import register

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from physlm.data.corpus import Corpus
    from physlm.models.language_model import LanguageModel


@register("eval", "early_exit")
@dataclass(kw_only=True, slots=True)
class EarlyExitConfig(LensScorerConfig):
    """Blocks and time that are saved if predictions are read by a lens before the last block.

    Predictions leave at one state (``static``), or where the lens is confident: by its highest
    probability, its entropy, or a repeated top-1 token. A state or threshold is chosen on half of
    the analysed documents, as the one that saves the most blocks at an agreement of 99 % with the
    whole model, and measured on the other half. This counts blocks. Decoders of physlm also decode
    with early exit, with the states of exited tokens propagated: measured are their agreement on
    given texts, and their time over that of the whole model. Finally, each block is skipped in
    turn.

    Source:
        Gupta et al. (2025), How Do LLMs Use Their Depth?, early exit and skipping; Schuster et al.
        (2022), Confident Adaptive Language Modeling.
    """

    figure_names: ClassVar[tuple[str, ...]] = ("early_exit", "skipped_blocks")
    table_names: ClassVar[tuple[str, ...]] = ("early_exit_curves", "skipped_blocks")

    criterion: ExitCriterion = ExitCriterion.probability  # by which decoded tokens leave
    # States at which decoded tokens may leave; null: after 1/4, 1/2 and 3/4 of the blocks.
    # Each costs a product with the output head, and without it fewer tokens leave.
    decoding_states: list[int] | None = None
    n_texts: int = 16  # to decode, and as many to choose the threshold; 0: no decoding
    n_new_tokens: int = 48  # of each text, after the rest of its window
    decoding_batch_size: int = 1  # texts decoded at once
    n_repeats: int = 5  # of each timing, in alternation; the shortest counts

    def validate(self) -> None:
        """Every value in its range."""
        LensScorerConfig.validate(self)
        require_some(self, "decoding_states")
        require_at_least(self, 0, "n_texts")
        require_at_least(self, 1, "n_new_tokens", "decoding_batch_size", "n_repeats")

    def check(self, model: "LanguageModel", corpus: "Corpus") -> None:
        """A lens reads the model's states, and blocks can be left out."""
        LensScorerConfig.check(self, model, corpus)
        if not model.shows("forward_from"):
            raise InputError("eval=early_exit: this model has no forward_from; use a decoder")
        states = self.exit_states(model)
        if self.lens_path and (missing := set(states) - set(self._loaded(model).states)):
            raise InputError(
                f"decoding_states={states}, and lens_path={self.lens_path} reads no state "
                f"{missing.pop()}; leave that state out"
            )

    def measure(self, model: "LanguageModel", corpus: "Corpus") -> Measurement:
        """Quality and blocks by state and criterion, decoding, and skipped blocks."""
        from physlm.analysis.depth.early_exit_metrics import measured_early_exit

        return measured_early_exit(self, model, corpus)

    def figures(self, measurement: Measurement) -> dict[str, "Figure"]:
        """Agreement against blocks by criterion, and what every block contributes."""
        from physlm.analysis.depth.early_exit_metrics import draw

        return draw(measurement)

    def exit_states(self, model: "LanguageModel") -> list[int]:
        """The states at which decoded tokens may leave.

        Raises:
            InputError: If one is not below L, or they do not ascend.
        """
        n = model.n_layers
        found = self.decoding_states or sorted({max(1, n * i // 4) for i in (1, 2, 3)} - {n})
        if list(found) != sorted(set(found)) or not all(0 <= state < n for state in found):
            raise InputError(
                f"decoding_states={found}; name states from 0 to {n - 1}, in ascending order"
            )
        return found
