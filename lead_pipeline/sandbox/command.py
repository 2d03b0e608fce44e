"""What `lead-pipeline sandbox` runs: the three APIs until someone stops them."""

from __future__ import annotations

import signal
import threading
from datetime import datetime
from types import FrameType

from rich.console import Console
from rich.table import Table

from lead_pipeline.sandbox.messages import iso
from lead_pipeline.sandbox.sandbox import Sandbox
from lead_pipeline.sandbox.world import World

PORTS = (8701, 8702, 8703)


def serve(
    ports: tuple[int, int, int] = PORTS,
    at: datetime | None = None,
    limits: bool = True,
    time_scale: float = 1.0,
    world: World | None = None,
) -> None:
    """Serve the sandbox until Ctrl-C or SIGTERM, and print how to point the pipeline at it.

    ports: of MEGA, Expert AI Labs and Vorel; 0 takes any free one. at: the world's
    time, the beginning of its first day when None. Call it from the main thread.
    Raises OSError when a port is taken.
    """
    stop = threading.Event()

    def on_signal(number: int, frame: FrameType | None) -> None:
        stop.set()

    with Sandbox(world, limits=limits, ports=ports, time_scale=time_scale) as sandbox:
        if at is not None:
            sandbox.set_clock(at)
        signals = (signal.SIGINT, signal.SIGTERM)
        before = {number: signal.signal(number, on_signal) for number in signals}
        try:
            _print(sandbox)
            # With a timeout, since a signal may reach another thread than the one that waits.
            while not stop.wait(timeout=0.5):
                continue
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)


def _print(sandbox: Sandbox) -> None:
    console = Console()
    table = Table(title=f"Sandbox, in whose world it is {iso(sandbox.now)}")
    for heading in ("API", "URL", "leads"):
        table.add_column(heading)
    for server in (sandbox.mega, sandbox.expert_ai_labs, sandbox.vorel):
        table.add_row(server.name, server.url, str(len(server.store)))
    console.print(table)
    for name, value in sandbox.environment().items():
        # Lines to paste: no wrapping, no colours, no markup.
        console.print(f"export {name}={value}", soft_wrap=True, highlight=False, markup=False)
    console.print(
        f'Move the clock: curl -d \'{{"now": "..."}}\' {sandbox.mega.url}/_sandbox/clock',
        soft_wrap=True,
        highlight=False,
        markup=False,
    )
    console.print("Ctrl-C stops it.")
