"""The system's Chromium, headless, with checks for errors and requests of a page."""

import shutil
from contextlib import contextmanager

import pytest

CHROMIUM = shutil.which("chromium") or shutil.which("google-chrome")
needs_chromium = pytest.mark.skipif(
    CHROMIUM is None, reason="no chromium on the path; apt-get install chromium"
)


@contextmanager
def browser():
    """A browser process, which takes a second to start."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        started = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield started
        started.close()


@contextmanager
def opened(started, path, view):
    """One view of the page; at the end the page must have made no error and no outside request.

    Args:
        started: A browser.
        path: The page.
        view: Name of the view in the address.
    """
    wrong = []
    context = started.new_context(viewport={"width": 1280, "height": 900})
    page = context.new_page()
    page.on("pageerror", lambda error: wrong.append(f"error: {error}"))
    page.on("console", lambda said: wrong.append(f"console: {said.text}"))
    page.on("dialog", lambda dialog: wrong.append(f"dialog: {dialog.message}"))
    page.on("request", lambda made: wrong.append(made.url) if _leaves(made.url) else None)
    page.goto(f"{path.resolve().as_uri()}#{view}")
    page.locator("main > *").first.wait_for(state="attached")  # the content is decompressed
    yield page
    context.close()
    assert not wrong, wrong


def _leaves(url):
    return not url.startswith(("file:", "data:"))
