"""Take the pictures of the demo's report and explore page in `docs/pictures/`, in Chromium.

    lead-pipeline demo ──▶ temporary home ──▶ bi/report.html, bi/explore/ ──▶ headless Chromium ──▶ WebP

Needs Debian's `chromium` on the PATH; everything it writes besides the pictures is removed again. Run it
with `make screenshot`; `LEAD_PIPELINE_SHOWN_HOME` names a demo's home that is there already.
"""

from __future__ import annotations

import base64
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Literal, get_args

from playwright.sync_api import Browser, sync_playwright

from lead_pipeline.commands.console import say
from lead_pipeline.storage.publication import EXPLORE, REPORT

BIN = Path(sys.executable).parent
DOCS = Path(__file__).resolve().parent
PICTURES = DOCS / "pictures"
MOST_HEIGHT = 2_000
"""Pixels of a page that are shown."""
Look = Literal["light", "dark", "print"]
LOOKS: tuple[Look, ...] = get_args(Look)


@dataclass(frozen=True)
class View:
    """One way to look at a page; its width in pixels."""

    page: str
    width: int
    look: Look

    @property
    def picture(self) -> Path:
        """Where its picture is."""
        name = "report" if self.page == REPORT else "explore"
        return PICTURES / f"{name}_{self.width}_{self.look}.webp"


VIEWS = [
    View(page, width, look)
    for page in (REPORT, EXPLORE)
    for width in (360, 768, 1280)
    for look in LOOKS
]


def main() -> None:
    """Take all pictures: docs/pages.md shows them."""
    chromium = shutil.which("chromium")
    if chromium is None:
        sys.exit("chromium is not installed: apt-get install chromium")
    with demo_home() as home, sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        for view in VIEWS:
            take(browser, home / "bi" / view.page, view)
            say(f"{view.picture.name}: {view.picture.stat().st_size:,} bytes")
        browser.close()


@contextmanager
def demo_home() -> Iterator[Path]:
    """A home in which the demo has lived."""
    if given := os.environ.get("LEAD_PIPELINE_SHOWN_HOME"):
        yield Path(given)
        return
    with TemporaryDirectory() as folder:
        subprocess.run(  # noqa: S603 - our own command
            [BIN / "lead-pipeline", "demo"],
            check=True,
            env={**os.environ, "LEAD_PIPELINE_HOME": folder},
        )
        yield Path(folder)


def take(browser: Browser, path: Path, view: View) -> None:
    """A picture of the top of the page, as far as it is shown."""
    scheme: Literal["dark", "light"] = "dark" if view.look == "dark" else "light"
    context = browser.new_context(
        viewport={"width": view.width, "height": 900}, color_scheme=scheme, locale="en-GB"
    )
    page = context.new_page()
    page.goto(path.as_uri())
    if view.look == "print":
        page.emulate_media(media="print")
    height = int(page.evaluate("document.documentElement.scrollHeight"))
    clip = {"x": 0, "y": 0, "width": view.width, "height": min(height, MOST_HEIGHT), "scale": 1}
    # Playwright itself writes no WebP, which takes a fifth of the room.
    taken = context.new_cdp_session(page).send(
        "Page.captureScreenshot",
        {"format": "webp", "quality": 75, "captureBeyondViewport": True, "clip": clip},
    )
    view.picture.write_bytes(base64.b64decode(taken["data"]))
    context.close()


if __name__ == "__main__":
    main()
