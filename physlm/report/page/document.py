"""The HTML of the page of results."""

from collections.abc import Mapping
from importlib.metadata import version
from pathlib import Path
from typing import Any

from physlm.atomic import write_text
from physlm.caches import users_folder
from physlm.errors import InputError
from physlm.report.page.html_file import html_file

_HERE = Path(__file__).parent

# In this order: a script uses names that earlier ones define.
_SCRIPTS = (
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
    scripts = [_HERE / name for name in _SCRIPTS]
    return html_file(content, styles=[_HERE / "style.css"], scripts=scripts, libraries=[charts])


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
