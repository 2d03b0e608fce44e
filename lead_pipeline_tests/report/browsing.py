"""The pages in a real browser: Debian's Chromium, driven by Playwright.

Here: starting it, and opening pages as people do. Not here: what a page must be like.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import pytest
from playwright.sync_api import Browser, Page, sync_playwright

Look = Literal["light", "dark", "print"]
HEIGHT = 900


@dataclass(frozen=True)
class View:
    """One way to look at a page; its width in pixels."""

    width: int
    look: Look

    def __str__(self) -> str:
        return f"{self.width} {self.look}"


LOOKS: tuple[Look, ...] = ("light", "dark", "print")
VIEWS = tuple(View(width, look) for width in (360, 768, 1280) for look in LOOKS)


@contextmanager
def running_browser() -> Iterator[Browser]:
    """Chromium without a window; skips where it is not installed.

    As long as it runs, nothing else in this process can run an event loop.
    """
    chromium = shutil.which("chromium")
    if chromium is None:
        pytest.skip("chromium is not installed: apt-get install chromium")
    with sync_playwright() as playwright:
        # As root, in a container, it has no sandbox of its own.
        browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        try:
            yield browser
        finally:
            browser.close()


@dataclass
class Opened:
    """A page that is open, and what the browser had to say of it."""

    page: Page
    complaints: list[str]
    """What the page's console shows: refused scripts and styles, errors."""
    loaded: list[str]
    """All addresses that were asked for."""


@contextmanager
def opened(
    browser: Browser, address: str, view: View, *, has_scripts: bool = True
) -> Iterator[Opened]:
    """The page at an address, looked at in one way."""
    context = browser.new_context(
        viewport={"width": view.width, "height": HEIGHT},
        color_scheme="dark" if view.look == "dark" else "light",
        java_script_enabled=has_scripts,
        locale="en-GB",
        timezone_id="America/Los_Angeles",
    )
    try:
        found = Opened(context.new_page(), [], [])
        found.page.on("console", lambda message: found.complaints.append(message.text))
        found.page.on("pageerror", lambda error: found.complaints.append(str(error)))
        found.page.on("request", lambda request: found.loaded.append(request.url))
        found.page.goto(address)
        if view.look == "print":
            found.page.emulate_media(media="print")
        yield found
    finally:
        context.close()


def address_of(path: Path) -> str:
    """Where a browser finds a file of this disk."""
    return path.as_uri()
