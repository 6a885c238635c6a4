"""Texts of tokens as they are shown in tables, figures and pages."""


def escaped(text: str) -> str:
    """A text in which line breaks and all other unprintable characters are escaped."""
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)


def visible(text: str) -> str:
    """The text of a token, with visible spaces."""
    return escaped(text.replace(" ", "\u00b7"))


def shortened(text: str, longest: int) -> str:
    """A text of at most ``longest`` characters, whose last one is an ellipsis if it was cut."""
    return text if len(text) <= longest else text[: longest - 1] + "\u2026"
