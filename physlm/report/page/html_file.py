"""Self-contained HTML files: content, scripts, style, and a policy that allows nothing else."""

import base64
import gzip
import hashlib
import html
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from string import Template
from typing import Any

_HERE = Path(__file__).parent


def html_file(
    content: Mapping[str, Any],
    *,
    styles: Sequence[Path],
    scripts: Sequence[Path],
    libraries: Sequence[str] = (),
) -> str:
    """The text of an HTML file that opens without a server or network.

    Its header has an empty ``h1``, and its body an empty ``main``, which the scripts fill.
    ``elements.js`` comes before them, and ``base.css`` before the styles.

    Args:
        content: Title and whatever else the scripts show, in plain values.
        styles: Style sheets.
        scripts: Scripts, joined into one module: each may use names that earlier ones define.
        libraries: Code of scripts that run before.
    """
    own = _joined([_HERE / "elements.js", *scripts])
    elements = [("", _script_text(code)) for code in libraries]
    elements += [(' type="module"', _script_text(own))]
    # The browser runs these scripts only and fetches nothing, whatever texts the content has.
    hashes = " ".join(_hash(code) for _, code in elements)
    policy = f"default-src 'none'; script-src {hashes}; style-src 'unsafe-inline'; img-src data:"
    parts = {
        "policy": html.escape(policy),
        "title": html.escape(content["title"]),
        "style": _joined([_HERE / "base.css", *styles]),
        "content": _compressed(content),
        "scripts": "\n".join(f"<script{kind}>{code}</script>" for kind, code in elements),
    }
    return Template((_HERE / "page.html").read_text(encoding="utf-8")).substitute(parts)


def _joined(files: Sequence[Path]) -> str:
    return "\n".join(file.read_text(encoding="utf-8") for file in files)


def _compressed(content: Mapping[str, Any]) -> str:
    """JSON in gzip and base64: a tenth of its size, and no text in it can end its element."""
    text = json.dumps(content, allow_nan=False, separators=(",", ":"))
    return base64.b64encode(gzip.compress(text.encode(), mtime=0)).decode()


def _script_text(script: str) -> str:
    """A script whose strings cannot end its element."""
    return script.replace("</script", r"<\/script")


def _hash(script: str) -> str:
    digest = hashlib.sha256(script.encode()).digest()
    return f"'sha256-{base64.b64encode(digest).decode()}'"
