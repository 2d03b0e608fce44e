"""The edge of a command: settings are read once, and log lines go where they should.

    variables, .env, --verbose ──▶ settings ──▶ passed down;  log lines ──▶ standard error

Belongs here: what each command that does something begins with. Does not belong here: arguments.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from lead_pipeline.commands.console import is_verbose, note

if TYPE_CHECKING:
    from lead_pipeline.settings import Settings

LOG_LEVEL = "LEAD_PIPELINE_LOG_LEVEL"


def settings_of_command(*, refreshes: bool = True) -> Settings:
    """The settings, once log lines are shown as they and --verbose say, and the home is private.

    A home that is a copy of a team's store then has what landing has now, unless `refreshes` says that
    the command does not read it.
    """
    from lead_pipeline.storage.permissions import readers_of, tighten
    from lead_pipeline.storage.seams import seams_of

    settings = settings_of_reader()
    tighten(settings.home, readers_of(settings), note)
    landing = seams_of(settings).landing
    if refreshes:
        landing.refresh()
    return settings


def settings_of_reader() -> Settings:
    """The settings for a command that neither needs a home nor changes what the pipeline has."""
    from lead_pipeline.logs import show
    from lead_pipeline.settings import load_settings

    if is_verbose() and not os.environ.get(LOG_LEVEL):
        # The processes that land accounts read it, too.
        os.environ[LOG_LEVEL] = "INFO"
    settings = load_settings()
    show(settings.log_level, settings.log_format)
    return settings
