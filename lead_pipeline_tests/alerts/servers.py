"""Servers on loopback that alerts are sent to, and what arrived there.

Here: a web server and an SMTP server, both real. Not here: fixtures (`conftest`).
"""

from __future__ import annotations

import json
import socket
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from email import message_from_bytes
from email.message import EmailMessage
from email.policy import default
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, AuthResult, Envelope, LoginPassword, Session


@dataclass
class WebServer:
    """A web server that writes down what it is asked, and answers `status`."""

    url: str
    status: int = 200
    requests: list[tuple[str, str, bytes]] = field(default_factory=list)
    """Method, path and body of each."""

    @property
    def texts(self) -> list[str]:
        """The texts that were posted."""
        return [json.loads(body)["text"] for method, _, body in self.requests if method == "POST"]

    @property
    def beats(self) -> int:
        """How often the heartbeat came."""
        return sum(method == "GET" for method, _, _ in self.requests)


@contextmanager
def web_server() -> Iterator[WebServer]:
    """A web server for the block."""

    class Handler(BaseHTTPRequestHandler):
        def _answer(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            running.requests.append((self.command, self.path, body))
            self.send_response(running.status)
            self.send_header("Content-Length", "0")
            self.end_headers()

        do_GET = do_POST = _answer  # noqa: N815 - named by the standard library

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    running = WebServer(f"http://127.0.0.1:{server.server_address[1]}")
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield running
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@dataclass
class MailServer:
    """An SMTP server that writes down what it takes."""

    host: str
    port: int = 0
    mails: list[EmailMessage] = field(default_factory=list)
    recipients: list[list[str]] = field(default_factory=list)
    """Those of each mail, as the server was told them."""
    refused: frozenset[str] = frozenset()
    """Recipients that it does not take."""
    passwords: dict[str, str] = field(default_factory=dict)
    """By user. Without any, nobody has to log in."""
    was_encrypted: list[bool] = field(default_factory=list)

    @property
    def url(self) -> str:
        """The server as `LEAD_PIPELINE_SMTP_URL` has it."""
        return self.url_for(None)

    def url_for(self, user: str | None) -> str:
        """The same with a user, and the password behind a colon."""
        return f"smtp://{f'{user}@' if user else ''}{self.host}:{self.port}"

    @property
    def texts(self) -> list[str]:
        """The texts of the mails, as a reader shows them."""
        return ["\n".join(str(mail.get_content()).splitlines()) for mail in self.mails]

    async def handle_RCPT(  # noqa: N802 - named by aiosmtpd
        self, server: SMTP, session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        """Take the recipient, or refuse it."""
        del server, session, options
        if address in self.refused:
            return "550 no such mailbox"
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(  # noqa: N802 - named by aiosmtpd
        self, server: SMTP, session: Session, envelope: Envelope
    ) -> str:
        """Write the mail down."""
        del server
        content = envelope.content
        assert isinstance(content, bytes)
        self.mails.append(message_from_bytes(content, policy=default))
        self.recipients.append([str(address) for address in envelope.rcpt_tos])
        self.was_encrypted.append(session.ssl is not None)
        return "250 OK"

    def authenticate(
        self, server: SMTP, session: Session, envelope: Envelope, mechanism: str, data: Any
    ) -> AuthResult:
        """Whether user and password belong together."""
        del server, session, envelope, mechanism
        assert isinstance(data, LoginPassword)
        right = self.passwords.get(data.login.decode()) == data.password.decode()
        return AuthResult(success=right, handled=False)


@contextmanager
def mail_server(
    passwords: Mapping[str, str] | None = None, *, host: str = "127.0.0.1", **options: Any
) -> Iterator[MailServer]:
    """An SMTP server for the block; `options` are aiosmtpd's."""
    running = MailServer(host, passwords=dict(passwords or {}))
    controller = Controller(
        running,
        hostname=host,
        # The controller asks the port that it was given, not one that it gets.
        port=_free_port(host),
        authenticator=running.authenticate if passwords else None,
        # Of plain text aiosmtpd only warns, and warnings are errors here.
        auth_require_tls="tls_context" in options,
        auth_required=bool(passwords) and "tls_context" in options,
        **options,
    )
    controller.start()
    running.port = controller.port
    try:
        yield running
    finally:
        controller.stop()


def _free_port(host: str) -> int:
    with socket.socket() as probe:
        probe.bind((host, 0))
        return int(probe.getsockname()[1])


@contextmanager
def silent_server() -> Iterator[str]:
    """A server that takes connections and never says a word; its host and port."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        yield f"127.0.0.1:{listener.getsockname()[1]}"
