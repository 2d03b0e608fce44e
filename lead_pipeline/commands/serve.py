"""`lead-pipeline serve`: the report and the explore page, for browsers of this machine."""

from __future__ import annotations

import signal
import threading
import time
from typing import TYPE_CHECKING, Annotated

import typer

from lead_pipeline.addresses import LOOPBACK
from lead_pipeline.commands.console import last_word, note
from lead_pipeline.commands.edge import settings_of_command
from lead_pipeline.errors import ConfigurationError, LeadPipelineError

if TYPE_CHECKING:
    from lead_pipeline.settings import Settings

LOOKS_EVERY_SECONDS = 60.0
"""How often a team's store is asked for another build."""


def serve(
    port: Annotated[
        int, typer.Option(min=0, max=65535, metavar="PORT", help="The port; 0 takes a free one.")
    ] = 8090,
    host: Annotated[
        str,
        typer.Option(metavar="HOST", help="A name of this machine: 127.0.0.1, localhost or ::1."),
    ] = "127.0.0.1",
) -> None:
    """Serve the report and the explore page to browsers of this machine, until Ctrl-C.

    Nothing else is served, and nothing to other machines: the pages ask nobody who they are. Let a web
    server that does serve the folder bi/ of LEAD_PIPELINE_HOME without what begins with a dot, or mail
    the pages: each is one file.
    """
    from lead_pipeline.report.server import PageServer

    if host not in LOOPBACK:
        raise ConfigurationError(
            f"--host {host} would show the pages to whoever reaches this machine, and they ask nobody who "
            f"they are. Take one of {', '.join(sorted(LOOPBACK))}; for other machines, let a web server "
            "with a login serve bi/report.html and bi/explore/ (docs/bi.md)."
        )
    settings = settings_of_command(refreshes=False)
    try:
        server = PageServer(settings.published_path.parent, host, port)
    except OSError as error:
        raise ConfigurationError(
            f"The pages cannot be served at port {port} ({error.strerror}). Choose another one: --port 0 "
            "takes a free one."
        ) from None
    stop = _stop_by_signal()
    with server:
        typer.echo(f"The report: {server.url}/report.html")
        typer.echo(f"To explore: {server.url}/explore/")
        _wait(stop, settings)
    last_word("The pages are served no more.")


def _stop_by_signal() -> threading.Event:
    """Set when somebody presses Ctrl-C or stops the service: the end that is meant."""
    stop = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stop.set())
    return stop


def _wait(stop: threading.Event, settings: Settings) -> None:
    """Until `stop`; of a team, with the pages that its readers have."""
    from lead_pipeline.storage.publication import refreshed

    looked_at = -LOOKS_EVERY_SECONDS
    # With a timeout, since a signal may reach another thread than the one that waits.
    while not stop.wait(timeout=0.2):
        if settings.shared is not None and time.monotonic() - looked_at >= LOOKS_EVERY_SECONDS:
            try:
                refreshed(settings.published_path)
            except LeadPipelineError as error:
                note(f"{error} The pages that are here are served until then.")
            looked_at = time.monotonic()
