"""Figures of a comparison of right and wrong texts."""

from matplotlib.figure import Figure

from physlm.measurement import Measurement


def draw_spectra(measurement: Measurement) -> dict[str, Figure]:
    """All figures of the scorer ``spectra``."""
    return {}
