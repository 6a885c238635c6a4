"""The HTML file: content, scripts and style, under a policy that allows nothing else."""

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

# In this order: a script uses names that earlier ones define.
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
    """The HTML of a page.

    Args:
        content: Title, claims and tables in plain values.
        charts: The script that draws charts.
    """
    own = "\n".join(_asset(name) for name in _SCRIPTS)
    scripts = [_script_text(charts), _script_text(own)]
    # The browser runs these two scripts only and fetches nothing, whatever texts the content has.
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

    Bundling takes two seconds, so the bundle is kept in the user's cache folder.

    Raises:
        InputError: If the package that contains them is not installed.
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
    except OSError:  # without a cache folder, it is bundled every time
        return bundle
    return bundle


def _as_json(content: Mapping[str, Any]) -> str:
    """JSON without ``<``, so that no text of a record can end the script element around it."""
    text = json.dumps(content, allow_nan=False, separators=(",", ":"))
    return text.replace("<", r"\u003c")


def _asset(name: str) -> str:
    return (_HERE / name).read_text(encoding="utf-8")


def _script_text(script: str) -> str:
    """A script whose strings cannot end its element."""
    return script.replace("</script", r"<\/script")


def _hash(script: str) -> str:
    digest = hashlib.sha256(script.encode()).digest()
    return f"'sha256-{base64.b64encode(digest).decode()}'"
