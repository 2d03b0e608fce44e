"""Take `docs/asset_graph.png`: Dagster's asset graph of this code location, in Chromium.

    a week of the sandbox ──run──▶ temporary home ──▶ dagster dev ──▶ headless Chromium ──▶ PNG

Needs Debian's `chromium` on the PATH; everything it writes besides the picture is removed
again. Run it with `make screenshot`.
"""

from __future__ import annotations

import base64
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from itertools import count
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import httpx
from websockets.sync.client import ClientConnection, connect

from lead_pipeline.sandbox import Sandbox, World

PICTURE = Path(__file__).with_name("asset_graph.png")
BIN = Path(sys.executable).parent
DAYS = timedelta(days=6)
WIDTH, HEIGHT = 3400, 2050
"""Large enough that every asset is drawn with its details."""
GRAPH = {"x": 120, "y": 200, "width": 3230, "height": 1840, "scale": 0.55}
"""The part of the page with the graph, and how much smaller it is in the picture."""
EXPAND_ALL_GROUPS = {"modifiers": 1, "key": "e", "code": "KeyE", "windowsVirtualKeyCode": 69}
"""Alt+E, Dagster's own key."""
HIDE_SIDEBARS = """
document.querySelectorAll('[aria-label=panel_show_right]').forEach(
    (icon) => icon.closest('button').click()
)
"""
PATIENCE_SECONDS = 90.0


def main() -> None:
    """Take the picture; the last line says how large it is."""
    chromium = shutil.which("chromium")
    if chromium is None:
        sys.exit("chromium is not installed: apt-get install chromium")
    now = datetime.now(UTC)
    first = (now - DAYS).date()
    with TemporaryDirectory() as folder, Sandbox(World(start=first), limits=False) as sandbox:
        sandbox.set_clock(now)
        home = Path(folder)
        environment = {
            **os.environ,
            **sandbox.environment(),
            "LEAD_PIPELINE_HOME": str(home / "data"),
            "LEAD_PIPELINE_START_DATE": first.isoformat(),
        }
        environment.pop("DAGSTER_HOME", None)
        say("pulling a week, so that the graph has something to show")
        days = ["--from", first.isoformat(), "--to", now.date().isoformat()]
        run = [str(BIN / "lead-pipeline"), "run", *days]
        subprocess.run(run, env=environment, stdout=subprocess.DEVNULL, check=True)  # noqa: S603
        environment["DAGSTER_HOME"] = str(home / "data" / "dagster")
        dagster_port, browser_port = free_port(), free_port()
        dagster = [str(BIN / "dagster"), "dev", "-p", str(dagster_port)]
        browser = browser_command(chromium, home / "chromium", browser_port)
        with running(dagster, environment), running(browser, environment):
            wait_for(lambda: answers(f"http://127.0.0.1:{dagster_port}/server_info"))
            wait_for(lambda: answers(f"http://127.0.0.1:{browser_port}/json/version"))
            page = f"http://127.0.0.1:{dagster_port}/asset-groups"
            PICTURE.write_bytes(photograph(page, browser_port))
    say(f"{PICTURE.relative_to(Path.cwd())}: {PICTURE.stat().st_size / 1000:,.0f} kB")


def photograph(page: str, browser_port: int) -> bytes:
    """The PNG of the asset graph on `page`, once all of it is drawn."""
    targets = httpx.get(f"http://127.0.0.1:{browser_port}/json/list").json()
    target = next(target for target in targets if target["type"] == "page")
    with connect(target["webSocketDebuggerUrl"], max_size=None) as connection:
        browser = Browser(connection)
        size = {"width": WIDTH, "height": HEIGHT, "deviceScaleFactor": 1, "mobile": False}
        browser.call("Emulation.setDeviceMetricsOverride", **size)
        browser.call("Page.navigate", url=page)
        wait_for(lambda: "normalized" in browser.text())
        time.sleep(3)
        browser.evaluate(HIDE_SIDEBARS)
        time.sleep(2)
        for kind in ("keyDown", "keyUp"):
            browser.call("Input.dispatchKeyEvent", type=kind, **EXPAND_ALL_GROUPS)
        wait_for(lambda: "published" in browser.text() and "Materialized" in browser.text())
        time.sleep(8)
        answer = browser.call("Page.captureScreenshot", format="png", clip=GRAPH)
    return base64.b64decode(answer["data"])


class Browser:
    """A page of Chromium, driven through the DevTools protocol."""

    def __init__(self, connection: ClientConnection) -> None:
        self._connection = connection
        self._numbers = count(1)

    def call(self, method: str, **parameters: object) -> dict[str, Any]:
        """Call `method` and wait for its result; what the page tells meanwhile is passed over."""
        number = next(self._numbers)
        self._connection.send(json.dumps({"id": number, "method": method, "params": parameters}))
        while True:
            answer = json.loads(self._connection.recv(timeout=PATIENCE_SECONDS))
            if answer.get("id") == number:
                if "error" in answer:
                    raise RuntimeError(f"{method}: {answer['error']}")
                result: dict[str, Any] = answer["result"]
                return result

    def evaluate(self, expression: str) -> Any:
        """The value of a JavaScript expression in the page."""
        result = self.call("Runtime.evaluate", expression=expression, returnByValue=True)
        return result["result"].get("value")

    def text(self) -> str:
        """What the page shows."""
        return str(self.evaluate("document.body ? document.body.innerText : ''"))


def browser_command(chromium: str, profile: Path, port: int) -> list[str]:
    """A headless Chromium with a profile of its own that talks to nobody but the page."""
    return [
        chromium,
        "--headless",
        "--no-sandbox",
        "--disable-gpu",
        "--disable-quic",
        "--no-first-run",
        "--disable-background-networking",
        "--disable-component-update",
        "--disable-sync",
        "--hide-scrollbars",
        f"--user-data-dir={profile}",
        f"--remote-debugging-port={port}",
        "about:blank",
    ]


@contextmanager
def running(command: list[str], environment: dict[str, str]) -> Iterator[None]:
    """The command and its children run during the block, silently."""
    process = subprocess.Popen(  # noqa: S603 - fixed commands
        command,
        env=environment,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    try:
        yield
    finally:
        os.killpg(process.pid, signal.SIGTERM)
        process.wait(timeout=PATIENCE_SECONDS)


def answers(address: str) -> bool:
    """Whether a server answers at the address."""
    try:
        return httpx.get(address).is_success
    except httpx.TransportError:
        return False


def wait_for(condition: Callable[[], bool]) -> None:
    """Return once `condition` is true."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not condition():
        if time.monotonic() > deadline:
            raise TimeoutError("the page did not show what it should in time")
        time.sleep(0.5)


def free_port() -> int:
    """A port of the loopback interface that nobody listens on."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port: int = listener.getsockname()[1]
        return port


def say(message: str) -> None:
    """One line for people."""
    sys.stdout.write(f"{message}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main()
