"""Take `docs/report.png` and `docs/report_narrow.png`: the demo's report page, in Chromium.

    lead-pipeline demo ──▶ temporary home ──▶ bi/report.html ──▶ headless Chromium ──▶ PNG

Needs Debian's `chromium` on the PATH; everything it writes besides the pictures is removed
again. Run it with `make screenshot`.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from lead_pipeline.commands.console import say

BIN = Path(sys.executable).parent
DOCS = Path(__file__).resolve().parent


@dataclass(frozen=True)
class View:
    """One way to look at the page; sizes in pixels."""

    picture: str
    width: int
    height: int
    is_dark: bool


VIEWS = (View("report.png", 1280, 1890, False), View("report_narrow.png", 420, 1890, True))


def main() -> None:
    """Take both pictures."""
    chromium = shutil.which("chromium")
    if chromium is None:
        sys.exit("chromium is not installed: apt-get install chromium")
    with TemporaryDirectory() as folder:
        home = Path(folder)
        subprocess.run(  # noqa: S603 - our own command
            [BIN / "lead-pipeline", "demo"],
            check=True,
            env={**os.environ, "LEAD_PIPELINE_HOME": str(home)},
        )
        report = home / "bi" / "report.html"
        for view in VIEWS:
            take(chromium, report, view, home / f"profile-{view.width}")
            say(f"{view.picture}: {view.width} by {view.height}")


def take(chromium: str, page: Path, view: View, profile: Path) -> None:
    """A picture of the top of the page."""
    picture = DOCS / view.picture
    picture.unlink(missing_ok=True)
    arguments = [
        "--headless",
        "--no-sandbox",
        "--disable-gpu",
        "--no-first-run",
        "--disable-background-networking",
        "--disable-component-update",
        "--disable-sync",
        "--hide-scrollbars",
        f"--user-data-dir={profile}",
        f"--window-size={view.width},{view.height}",
        f"--blink-settings=preferredColorScheme={0 if view.is_dark else 1}",
        f"--screenshot={picture}",
        page.as_uri(),
    ]
    subprocess.run([chromium, *arguments], check=True, capture_output=True)  # noqa: S603
    if not picture.exists():
        sys.exit(f"Chromium has not written {picture}.")


if __name__ == "__main__":
    main()
