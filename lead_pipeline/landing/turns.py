"""Turns at an account: one worker at a time changes its landing, and begins with what landing has now.

Belongs here: whose turn it is. Does not belong here: what is done in it.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from lead_pipeline.settings import Settings
from lead_pipeline.storage.locks import held
from lead_pipeline.storage.seams import seams_of

_logger = logging.getLogger(__name__)


@contextmanager
def account_turn(
    settings: Settings,
    account: str,
    purpose: str,
    tell: Callable[[str], None] = _logger.warning,
    patience: float | None = None,
) -> Iterator[None]:
    """Hold the account's lock for the block; the files of the home are then what landing has.

    Waits, tells and raises as `held` does; raises `StoreUnavailable` where a team's store does not
    answer.
    """
    landing = seams_of(settings).landing
    with held(settings.account_lock(account), purpose, tell, patience):
        landing.begin_turn(account)
        yield
