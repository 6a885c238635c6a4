"""The site of the documentation: the repository's pages, at the addresses that their links expect.

Pages of `docs/` stand at the root of the site, all other files of the repository at their own path:
the experiments, CONTRIBUTING.md, CHANGELOG.md, SECURITY.md, and every file that a page links to.
The reference of the configuration and the tables of claims are made when the site is built.
"""

import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import claims
import keys
import options
from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page

ROOT = Path(__file__).resolve().parents[2]
INCLUDED = [ROOT / name for name in ("CONTRIBUTING.md", "CHANGELOG.md", "SECURITY.md")]
REFERENCE = keys.pages() | options.pages()

_LINK = re.compile(r"(?<=\]\()(?!https?:|#)([^)#\s]+)")


def on_config(config: MkDocsConfig) -> MkDocsConfig:
    """Complete the navigation: the experiments by paper, and the reference of the configuration."""
    sections = {next(iter(entry)): next(iter(entry.values())) for entry in config.nav}
    sections["Experiments"] += claims.navigation()
    pages = [{_title(text): uri} for uri, text in REFERENCE.items()]
    sections["Reference"].insert(1, {"Configuration": pages})
    config.nav = [{name: pages} for name, pages in sections.items()]
    config.watch += [str(ROOT / "experiments"), str(ROOT / "conf"), *map(str, INCLUDED)]
    return config


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add the pages outside `docs/`, those that are generated, and all files that pages link to."""
    for path in [*INCLUDED, *sorted((ROOT / "experiments").glob("**/README.md"))]:
        files.append(_from_repository(path, config))
    for uri, text in REFERENCE.items():
        files.append(File.generated(config, uri, content=text))
    for path in sorted(set(_linked(files))):
        if files.get_file_from_path(_uri(path)) is None:
            files.append(_from_repository(path, config))
    return files


def on_page_markdown(markdown: str, page: Page, **_: Any) -> str:
    """Insert generated parts, point links to pages of the site, and render folded tables."""
    if page.parent is None:  # in no section, which would be listed beside it
        page.meta["hide"] = ["navigation"]
    text = claims.with_tables(markdown)
    contents = ", ".join(f"[{_title(about)}]({uri})" for uri, about in REFERENCE.items())
    text = text.replace("<!-- pages of the reference -->", f"The reference: {contents}.")
    text = text.replace("<details>", '<details markdown="1">')
    source = _source(page.file)
    return text if source is None else _LINK.sub(lambda link: _target(link[1], source, page), text)


def _title(markdown: str) -> str:
    return markdown.splitlines()[0].removeprefix("# ")


def _target(link: str, source: Path, page: Page) -> str:
    """The address of a link, relative to the page; what is not in the repository stays."""
    path = _resolved(link, source)
    start = Path(page.file.src_uri).parent
    return link if path is None else os.path.relpath(_uri(path), start)


def _linked(files: Files) -> Iterator[Path]:
    """The files of the repository that pages link to."""
    for file in files.documentation_pages():
        source = _source(file)
        if source is not None:
            found = (_resolved(link, source) for link in _LINK.findall(file.content_string))
            yield from (path for path in found if path is not None)


def _resolved(link: str, source: Path) -> Path | None:
    """The file that a link of a page leads to, the README of a folder; None if there is none."""
    path = Path(os.path.normpath(source.parent / link))
    path = path / "README.md" if path.is_dir() else path
    return path if path.is_file() and path.is_relative_to(ROOT) else None


def _source(file: File) -> Path | None:
    """The file of the repository that a page is made of; None if it is generated."""
    return None if file.abs_src_path is None else Path(file.abs_src_path)


def _from_repository(path: Path, config: MkDocsConfig) -> File:
    return File.generated(config, _uri(path), abs_src_path=str(path))


def _uri(path: Path) -> str:
    """The path of a file within the site; the front page is that of `docs/`."""
    return path.relative_to(ROOT).as_posix().removeprefix("docs/")
