"""The HTML file: content, scripts and style in one, and a policy that lets nothing else run."""

import base64
import hashlib
import html
import json
from collections.abc import Mapping
from importlib.metadata import version
from pathlib import Path
from string import Template
from typing import Any

from physlm.atomic import write_text
from physlm.caches import users_folder
from physlm.errors import InputError

_HERE = Path(__file__).parent

# In the order in which each may use what the ones before it define.
_SCRIPTS = (
    "elements.js",
    "interval.js",
    "claims.js",
    "selection.js",
    "runs.js",
    "plot.js",
    "curves.js",
    "differences.js",
    "figures.js",
    "main.js",
)


def document(content: Mapping[str, Any], charts: str) -> str:
    """The page, as text.

    Args:
        content: All tables, in plain values; ``title`` names the page.
        charts: The script that draws charts.
    """
    own = "\n".join(_asset(name) for name in _SCRIPTS)
    scripts = [_script_text(charts), _script_text(own)]
    # Nothing but these two scripts runs and nothing is fetched, whatever the content says.
    policy = (
        f"default-src 'none'; script-src {' '.join(map(_hash, scripts))}; "
        "style-src 'unsafe-inline'; img-src data:"
    )
    parts = {
        "policy": html.escape(policy),
        "title": html.escape(content["title"]),
        "style": _asset("style.css"),
        "content": _as_json(content),
        "charts": scripts[0],
        "script": scripts[1],
    }
    return Template(_asset("page.html")).substitute(parts)


def charts() -> str:
    """Vega, Vega-Lite and vega-embed as one script.

    It takes seconds to put together, hence is kept among the user's caches.

    Raises:
        InputError: If the package that has them is missing.
    """
    try:
        import vl_convert
    except ImportError as error:
        raise InputError(
            f"the page needs vl-convert-python ({error}); pip install 'physlm[page]'"
        ) from error
    kept = users_folder() / "physlm" / f"vega-{version('vl-convert-python')}.js"
    if kept.is_file():
        return kept.read_text(encoding="utf-8")
    bundle: str = vl_convert.javascript_bundle("window.vegaEmbed = vegaEmbed;")
    try:
        write_text(kept, bundle)
    except OSError:  # a user without a home folder waits for it every time
        return bundle
    return bundle


def _as_json(content: Mapping[str, Any]) -> str:
    """Without a character that could end its script element, whatever texts records hold."""
    text = json.dumps(content, allow_nan=False, separators=(",", ":"))
    return text.replace("<", r"\u003c")


def _asset(name: str) -> str:
    return (_HERE / name).read_text(encoding="utf-8")


def _script_text(script: str) -> str:
    """A script that ends where it ends, and not at a text in it."""
    return script.replace("</script", r"<\/script")


def _hash(script: str) -> str:
    digest = hashlib.sha256(script.encode()).digest()
    return f"'sha256-{base64.b64encode(digest).decode()}'"
