"""Texts of tokens as they are shown in tables, pictures and pages."""


def visible(text: str) -> str:
    """A token's text with spaces visible and unprintable characters escaped."""
    spaced = text.replace(" ", "\u00b7")
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in spaced)


def shortened(text: str, longest: int) -> str:
    """A text of at most ``longest`` characters, whose last one is an ellipsis if it was cut."""
    return text if len(text) <= longest else text[: longest - 1] + "\u2026"
