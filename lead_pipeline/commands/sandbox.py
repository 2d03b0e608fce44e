"""`lead-pipeline sandbox`: the three lead APIs, imitated on this machine."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated

import typer

from lead_pipeline.errors import ConfigurationError


def sandbox(
    mega_port: Annotated[
        int,
        typer.Option(min=0, max=65535, metavar="PORT", help="Port of MEGA; 0 takes a free one."),
    ] = 8701,
    expert_ai_labs_port: Annotated[
        int, typer.Option(min=0, max=65535, metavar="PORT", help="Port of Expert AI Labs.")
    ] = 8702,
    vorel_port: Annotated[
        int, typer.Option(min=0, max=65535, metavar="PORT", help="Port of Vorel.")
    ] = 8703,
    at: Annotated[
        datetime | None,
        typer.Option(
            formats=["%Y-%m-%d", "%Y-%m-%dT%H:%M:%S"],
            metavar="YYYY-MM-DD[THH:MM:SS]",
            help="The world's time, UTC. [now]",
        ),
    ] = None,
    limits: Annotated[bool, typer.Option(help="Enforce the documented request limits.")] = True,
    time_scale: Annotated[
        float,
        typer.Option(min=0.001, metavar="FACTOR", help="How much faster the limits' minutes pass."),
    ] = 1.0,
) -> None:
    """Serve the three lead APIs on this machine, with invented leads, until Ctrl-C.

    Prints the variables that point the pipeline at them. The world's clock can be set with
    POST /_sandbox/clock {"now": "2026-01-15T02:00:00Z"}.
    """
    from lead_pipeline.sandbox import serve

    moment = (at or datetime.now(UTC)).replace(tzinfo=UTC)
    try:
        serve((mega_port, expert_ai_labs_port, vorel_port), moment, limits, time_scale)
    except OSError as error:
        raise ConfigurationError(
            f"The sandbox cannot listen ({error.strerror}). Choose other ports, or 0 for free ones."
        ) from None
