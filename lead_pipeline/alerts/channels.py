"""The channels that alerts go out by, as the settings have them, and the heartbeat.

    Message ──▶ {"text": …} by HTTP      (webhook)
            └─▶ an e-mail by SMTP        (e-mail)
    good night ──▶ GET                   (heartbeat)

Each call takes at most as long as it is told, and says in a sentence why nothing arrived. URLs,
passwords and addresses are in no sentence.
"""

from __future__ import annotations

import smtplib
import ssl
from collections.abc import Callable
from dataclasses import dataclass
from email.message import EmailMessage
from email.utils import formatdate, make_msgid

from lead_pipeline.addresses import SmtpServer
from lead_pipeline.alerts.message import Message
from lead_pipeline.errors import LeadPipelineError
from lead_pipeline.settings import Settings

WEBHOOK, EMAIL, HEARTBEAT = "webhook", "email", "heartbeat"

_SLACK_ESCAPES = str.maketrans({"&": "&amp;", "<": "&lt;", ">": "&gt;"})
"""The characters by which Slack's own markup begins."""


class DeliveryFailed(LeadPipelineError):
    """A message did not arrive. Says why, and which variable to look at."""


@dataclass(frozen=True)
class Channel:
    """A way to tell somebody."""

    name: str
    send: Callable[[Message, float], None]
    """Sends a message within so many seconds, or raises `DeliveryFailed`."""


def channels_of(settings: Settings) -> list[Channel]:
    """The channels that are set."""
    channels = []
    if settings.alert_webhook is not None:
        url = settings.alert_webhook.get_secret_value()
        channels.append(Channel(WEBHOOK, lambda message, seconds: _post(url, message, seconds)))
    server, recipients = settings.smtp_server, settings.alert_recipients
    if server is not None and recipients:
        sender = settings.alert_sender or _sender(server, recipients)

        def mail(message: Message, seconds: float) -> None:
            _send(server, _mail(message, sender, recipients), seconds)

        channels.append(Channel(EMAIL, mail))
    return channels


def beat(settings: Settings, seconds: float) -> None:
    """Ask for the heartbeat URL, if one is set. Raises `DeliveryFailed`."""
    if settings.heartbeat_url is not None:
        _request(
            "GET", settings.heartbeat_url.get_secret_value(), "LEAD_PIPELINE_HEARTBEAT_URL", seconds
        )


def _post(url: str, message: Message, seconds: float) -> None:
    text = message.text.translate(_SLACK_ESCAPES)
    _request("POST", url, "LEAD_PIPELINE_ALERT_WEBHOOK", seconds, {"text": text})


def _request(
    method: str, url: str, variable: str, seconds: float, json: dict[str, str] | None = None
) -> None:
    # Only where something is sent: it takes long to import.
    import httpx

    try:
        with httpx.stream(
            method, url, json=json, timeout=seconds, headers={"User-Agent": "lead-pipeline"}
        ) as answer:
            # What it says in its body is of no use, and can be without end.
            status = answer.status_code
    except httpx.TimeoutException:
        raise DeliveryFailed(
            f"the server did not answer in time. Look at it, or correct {variable}."
        ) from None
    except httpx.HTTPError as error:
        raise DeliveryFailed(
            f"the server cannot be asked ({type(error).__name__}). Look at it, or correct {variable}."
        ) from None
    if not 200 <= status < 300:
        raise DeliveryFailed(f"the server answered {status}. Correct {variable}.")


def _sender(server: SmtpServer, recipients: tuple[str, ...]) -> str:
    return server.user if server.user and "@" in server.user else recipients[0]


def _mail(message: Message, sender: str, recipients: tuple[str, ...]) -> EmailMessage:
    mail = EmailMessage()
    mail["Subject"] = message.subject
    mail["From"] = sender
    mail["To"] = ", ".join(recipients)
    mail["Date"] = formatdate()
    mail["Message-ID"] = make_msgid(domain=sender.rpartition("@")[2])
    # No automatic answer is wanted (RFC 3834).
    mail["Auto-Submitted"] = "auto-generated"
    mail.set_content(message.text)
    return mail


def _send(server: SmtpServer, mail: EmailMessage, seconds: float) -> None:
    try:
        with _connected(server, seconds) as connection:
            if server.user is not None:
                connection.login(server.user, server.password or "")
            # Raises only where it takes none of them: one wrong address holds up nobody else.
            connection.send_message(mail)
    except (smtplib.SMTPException, OSError) as error:
        raise DeliveryFailed(_why(error)) from None


def _why(error: Exception) -> str:
    """Why a mail was not taken. The server's own words can quote whoever is written to."""
    look = "Look at it, or correct LEAD_PIPELINE_SMTP_URL."
    match error:
        case smtplib.SMTPAuthenticationError():
            return "the server refuses user or password. Correct LEAD_PIPELINE_SMTP_URL."
        case smtplib.SMTPRecipientsRefused():
            return "the server refuses every recipient. Correct LEAD_PIPELINE_ALERT_EMAIL."
        case smtplib.SMTPSenderRefused():
            return "the server refuses the sender. Set LEAD_PIPELINE_ALERT_SENDER to one it takes."
        case smtplib.SMTPResponseException():
            return f"the server answered {error.smtp_code}. {look}"
    # smtplib makes a disconnection of a time that has passed.
    if isinstance(error, TimeoutError) or isinstance(error.__context__, TimeoutError):
        return f"the server did not answer in time. {look}"
    return f"the server cannot be asked ({type(error).__name__}). {look}"


def _connected(server: SmtpServer, seconds: float) -> smtplib.SMTP:
    """A connection that nobody reads along with. Raises `DeliveryFailed` where there is none."""
    context = ssl.create_default_context()
    if server.is_encrypted:
        return smtplib.SMTP_SSL(server.host, server.port, timeout=seconds, context=context)
    connection = smtplib.SMTP(server.host, server.port, timeout=seconds)
    if server.is_loopback:
        return connection
    try:
        _encrypt(connection, context)
    except BaseException:
        connection.close()
        raise
    return connection


def _encrypt(connection: smtplib.SMTP, context: ssl.SSLContext) -> None:
    connection.ehlo()
    if not connection.has_extn("starttls"):
        raise DeliveryFailed(
            "the server offers no encryption (STARTTLS), so others could read along. Set "
            "LEAD_PIPELINE_SMTP_URL to one that does, or to smtps://…."
        )
    connection.starttls(context=context)
