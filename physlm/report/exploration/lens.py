"""The lens by which states are read: given by name, or by its folder."""

from collections.abc import Sequence
from pathlib import Path

from physlm.analysis.lenses import Lens, LogitLens, TunedLens
from physlm.analysis.lenses.config import LensOptimizer, TunedLensConfig
from physlm.analysis.lenses.lens import width_of
from physlm.errors import InputError
from physlm.report.exploration.subject import Subject


def lens_of(
    subject: Subject, choice: str, analysed: Sequence[int], texts: Sequence[str] | None
) -> tuple[Lens, str]:
    """The lens of a choice, and its description.

    Args:
        subject: The model.
        choice: ``logit``, ``tuned``, ``ridge``, or the folder of a tuned lens.
        analysed: The tokens to be analysed, on which no lens is fitted.
        texts: Texts to fit on; None for documents of the model's own world.

    Raises:
        InputError: If the folder holds no lens of the model, or there is too little to fit on.
    """
    if choice == "logit":
        return LogitLens(subject.model), "logit lens"
    if choice not in {"tuned", "ridge"}:
        return TunedLens.load(Path(choice), subject.model), f"tuned lens of {choice}"
    is_ridge = choice == "ridge"
    config = TunedLensConfig(optimizer=LensOptimizer.none) if is_ridge else TunedLensConfig()
    windows = subject.lens_windows(analysed, texts)
    n_tokens, width = int(windows.counted(config.skip_first).sum()), width_of(subject.model)
    if n_tokens < width:
        raise InputError(
            f"--lens {choice}: {n_tokens} tokens to fit on, fewer than the width {width} of the "
            "states; give more text or use --lens logit"
        )
    lens = TunedLens.fit(subject.model, windows.tokens, config, is_visible=windows.is_visible)
    return lens, f"{choice} lens, fitted on {n_tokens:,} tokens"
