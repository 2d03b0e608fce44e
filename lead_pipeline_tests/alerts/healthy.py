"""A home in which nothing is wrong at noon, and settings by which somebody is told.

Here: plain functions, also for processes of their own. Not here: fixtures (`conftest`).
"""

from __future__ import annotations

from datetime import datetime
from pathlib import Path

from lead_pipeline.alerts.failures import Ended
from lead_pipeline.alerts.night import after_night
from lead_pipeline.settings import Settings
from lead_pipeline_tests.alerts.servers import MailServer, WebServer
from lead_pipeline_tests.health.situations import land, publish
from lead_pipeline_tests.pulling import at, settings_in

ACCOUNT = '[[accounts]]\nname = "acme"\nprovider = "vorel"\napi_key = "vapk_live_of_nobody"\n'
REFUSED = Ended.landing(
    "acme", "acme answered 401: the credentials are wrong or revoked.", "AccessRefused"
)
NOON = at(5, 12)
"""The night after the 4th is over: everything through the 4th is due."""
LANDED = Ended.landing("acme", None)
PUBLISHED = Ended.publication(None)


def told(
    home: Path,
    web: WebServer | None = None,
    mail: MailServer | None = None,
    user: str | None = None,
) -> Settings:
    """Settings of a home with the account `acme`, by which these servers are told.

    `user` is that of the mail server, with the password behind a colon.
    """
    home.mkdir(exist_ok=True)
    accounts = home / "accounts.toml"
    accounts.write_text(ACCOUNT)
    more: dict[str, object] = {"accounts": accounts}
    if web is not None:
        more |= {"alert_webhook": f"{web.url}/hook", "heartbeat_url": f"{web.url}/beat"}
    if mail is not None:
        more |= {"alert_email": "ops@example.com", "smtp_url": mail.url_for(user)}
    return settings_in(home, **more)


def make_healthy(settings: Settings) -> None:
    """Everything that is due at noon has landed and is published."""
    land(settings, None, 4)
    publish(settings, at(5))


def look(
    settings: Settings, *ended: Ended, now: datetime = NOON, is_whole: bool = False
) -> list[str]:
    """Tell of what has become of a night; returns what could not be done."""
    said: list[str] = []
    after_night(settings, ended, said.append, is_whole=is_whole, now=now)
    return said
