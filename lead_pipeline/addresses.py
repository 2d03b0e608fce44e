"""Addresses that settings name: of servers, and of people.

    text of a setting ──▶ checked ──▶ URL, SMTP server, addresses of recipients

Belongs here: what is taken, and why the rest is refused. Does not belong here: connecting. Whatever
is refused is not shown: an address can hold a secret, or be somebody's.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from email.errors import HeaderParseError
from urllib.parse import SplitResult, unquote, urlsplit

LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1"})
"""Hosts that are this machine: what is sent to them passes no network."""

_SMTP_PORTS = {"smtp": 587, "smtps": 465}


@dataclass(frozen=True)
class SmtpServer:
    """The server that takes e-mail, and how to log in."""

    host: str
    port: int
    is_encrypted: bool
    """From the first byte (`smtps`); otherwise STARTTLS encrypts what follows."""
    user: str | None = None
    password: str | None = field(default=None, repr=False)

    @property
    def is_loopback(self) -> bool:
        """Whether it is on this machine, so that plain text is seen by nobody else."""
        return self.host in LOOPBACK


def secure_url(text: str) -> str:
    """The URL, without blanks around it. Raises `ValueError` where others could read along."""
    text = text.strip()
    parts = _split(text)
    if parts is None or parts.scheme not in ("http", "https") or " " in text or not text.isascii():
        raise ValueError("must be a URL such as https://example.com/path")
    if parts.scheme == "http" and parts.hostname not in LOOPBACK:
        raise ValueError("must begin with https://; plain http is taken for localhost only")
    return text


LEAD_ID = "{lead_id}"
"""What stands for a lead's id in the address of its page."""


def lead_address(text: str) -> str:
    """The address of a lead's page in a CRM, such as `https://crm.example.com/leads/{lead_id}`.

    Raises `ValueError` where it is none, says nothing of the lead, or holds a user or password.
    """
    address = secure_url(text)
    parts = urlsplit(address)
    before, found, after = address.partition(LEAD_ID)
    in_place = found and LEAD_ID not in parts.netloc and not {"{", "}"} & {*before, *after}
    if not in_place or parts.username is not None or parts.password is not None:
        raise ValueError(
            "must be an address with {lead_id} once, behind the host, and no user or password: "
            "https://crm.example.com/leads/{lead_id}"
        )
    return address


def open_url(text: str) -> str:
    """The URL of something that people open, which is shown to them and holds no password.

    Plain http is taken: who serves it inside of a network decides that. Raises `ValueError`.
    """
    text = text.strip()
    parts = _split(text)
    if parts is None or parts.scheme not in ("http", "https") or " " in text or not text.isascii():
        raise ValueError("must be a URL such as https://example.com/path")
    if parts.username is not None or parts.password is not None or parts.query or parts.fragment:
        raise ValueError("must be a URL without user, password, ? and #: it is shown to readers")
    return text


def smtp_server(text: str) -> SmtpServer:
    """The server of `smtp://user:password@host:587` or `smtps://…`; user and port can be left out.

    Raises `ValueError` that says how to write it.
    """
    parts = _split(text.strip())
    if parts is None or parts.scheme not in _SMTP_PORTS or parts.path.strip("/") or parts.query:
        raise ValueError(
            "must be smtp://user:password@host:587 or smtps://user:password@host:465, with "
            "characters such as @, : or / in user and password written as %40, %3A or %2F"
        )
    return SmtpServer(
        host=str(parts.hostname),
        port=parts.port or _SMTP_PORTS[parts.scheme],
        is_encrypted=parts.scheme == "smtps",
        user=None if parts.username is None else unquote(parts.username),
        password=None if parts.password is None else unquote(parts.password),
    )


def mail_addresses(text: str) -> tuple[str, ...]:
    """The addresses of a list with commas or semicolons. Raises `ValueError` for other texts."""
    addresses = [part.strip() for part in text.replace(";", ",").split(",") if part.strip()]
    if not addresses or not all(_is_mail_address(address) for address in addresses):
        raise ValueError("must be e-mail addresses such as ops@example.com, separated by commas")
    # Somebody who stands there twice gets one message.
    return tuple(dict.fromkeys(addresses))


def _split(text: str) -> SplitResult | None:
    """The parts of a URL with a host; None for all else."""
    try:
        parts = urlsplit(text)
        # Asked for here, since a port that is no number is noticed only then.
        return parts if parts.hostname and parts.port != 0 else None
    except ValueError:
        return None


def _is_mail_address(text: str) -> bool:
    # Most homes have none, and the grammar of e-mail takes long to import. Settings are checked as they
    # are read, so that nothing fails later by it.
    from email.headerregistry import Address

    try:
        address = Address(addr_spec=text)
    except (HeaderParseError, ValueError, IndexError):
        return False
    return bool(address.username and address.domain and text.isascii())
