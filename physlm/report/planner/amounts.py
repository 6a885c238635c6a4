"""Numbers as they are written in a plan, to three digits."""

from collections.abc import Iterable

_WORDS = ((1e12, "trillion"), (1e9, "billion"), (1e6, "million"))


def amount(value: float) -> str:
    """Such as 27,400 or 13.1 million.

    Numbers of a quadrillion and more are written as powers of ten.
    """
    rounded = float(f"{value:.3g}")
    if abs(rounded) >= 1e15:
        return f"{rounded:.3g}"
    for unit, word in _WORDS:
        if abs(rounded) >= unit:
            return f"{rounded / unit:g} {word}"
    return f"{rounded:,.0f}" if abs(rounded) >= 100 else f"{rounded:g}"


def counted(value: float, plural: str) -> str:
    """An amount with its noun, such as 1 exposure and 30 exposures."""
    text = amount(value)
    return f"{text} {plural.removesuffix('s') if text == '1' else plural}"


def between(low: float, high: float) -> str:
    """A range, or its only value."""
    return amount(low) if amount(low) == amount(high) else f"{amount(low)} to {amount(high)}"


def spans(ranges: Iterable[tuple[float, float]]) -> str:
    """Ranges, such as 0 to 0.5 and 0.875."""
    return " and ".join(between(*ends) for ends in ranges)
