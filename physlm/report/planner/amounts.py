"""Numbers as they are written in a plan, to three digits."""

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


def between(low: float, high: float) -> str:
    """A range, or its only value."""
    return amount(low) if amount(low) == amount(high) else f"{amount(low)} to {amount(high)}"
