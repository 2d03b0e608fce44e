"""Channels: how a message arrives, and what is said when it does not."""

from __future__ import annotations

import datetime as dt
import ipaddress
import json
import ssl
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from lead_pipeline.alerts.channels import DeliveryFailed, beat, channels_of
from lead_pipeline.alerts.message import Message
from lead_pipeline.settings import Settings
from lead_pipeline_tests.alerts.servers import MailServer, WebServer, mail_server, silent_server
from lead_pipeline_tests.pulling import settings_in

MESSAGE = Message("lead-pipeline: mega: a run failed", "mega: <five> & six\nmới")
SECONDS = 10.0
NOT_LOOPBACK = "127.0.0.2"
"""Of this machine, but nothing that settings take for it: as good as a server elsewhere."""


def send(settings: Settings, seconds: float = SECONDS) -> None:
    """Send the message by the only channel."""
    [channel] = channels_of(settings)
    channel.send(MESSAGE, seconds)


def mailing(home: Path, url: str) -> Settings:
    return settings_in(home, alert_email="ops@example.com", smtp_url=url)


def test_webhook_gets_the_text_as_slack_wants_it(home: Path, web: WebServer) -> None:
    send(settings_in(home, alert_webhook=f"{web.url}/services/T0/B0/x"))

    [(method, path, body)] = web.requests
    assert (method, path) == ("POST", "/services/T0/B0/x")
    assert json.loads(body) == {"text": "mega: &lt;five&gt; &amp; six\nmới"}


def test_mail_has_the_text_a_subject_and_each_recipient(home: Path, mail: MailServer) -> None:
    send(
        settings_in(
            home,
            alert_email="ops@example.com, lead@example.com",
            alert_sender="pipeline@example.com",
            smtp_url=mail.url,
        )
    )

    [arrived] = mail.mails
    assert arrived["Subject"] == MESSAGE.subject
    assert arrived["From"] == "pipeline@example.com"
    assert arrived["Auto-Submitted"] == "auto-generated"
    assert mail.recipients == [["ops@example.com", "lead@example.com"]]
    assert mail.texts == [MESSAGE.text]


@pytest.mark.parametrize(
    ("user", "sender"), [("robot%40example.com", "robot@example.com"), ("robot", "ops@example.com")]
)
def test_sender_is_the_user_of_the_server_where_that_is_an_address(
    home: Path, user: str, sender: str
) -> None:
    with mail_server({"robot": "a/secret", "robot@example.com": "a/secret"}) as server:
        send(mailing(home, server.url.replace("//", f"//{user}:a%2Fsecret@")))

    assert server.mails[0]["From"] == sender


def test_recipient_that_is_refused_holds_up_no_other(home: Path, mail: MailServer) -> None:
    mail.refused = frozenset({"gone@example.com"})
    recipients = "gone@example.com, ops@example.com"
    send(settings_in(home, alert_email=recipients, smtp_url=mail.url))

    assert mail.recipients == [["ops@example.com"]]


def test_wrong_password_is_told_without_showing_it(home: Path) -> None:
    with mail_server({"robot": "right"}) as server:
        settings = mailing(home, server.url.replace("//", "//robot:wr0ng@"))
        with pytest.raises(DeliveryFailed, match=r"refuses user or password.*SMTP_URL") as failed:
            send(settings)

    assert "wr0ng" not in str(failed.value)
    assert server.mails == []


def test_server_that_takes_none_of_the_recipients_is_told_without_naming_them(
    home: Path, mail: MailServer
) -> None:
    mail.refused = frozenset({"ops@example.com"})
    with pytest.raises(DeliveryFailed, match=r"refuses every recipient.*ALERT_EMAIL") as failed:
        send(mailing(home, mail.url))

    assert "ops@" not in str(failed.value)


@pytest.mark.parametrize("status", [302, 404, 500])
def test_webhook_that_refuses_is_told_without_its_url(
    home: Path, web: WebServer, status: int
) -> None:
    web.status = status
    with pytest.raises(DeliveryFailed, match=f"answered {status}.*ALERT_WEBHOOK") as failed:
        send(settings_in(home, alert_webhook=f"{web.url}/s3cret"))

    assert "s3cret" not in str(failed.value)


@pytest.mark.parametrize("form", ["webhook", "mail"])
def test_server_that_is_down_is_told(home: Path, form: str) -> None:
    settings = (
        settings_in(home, alert_webhook="http://127.0.0.1:9/s3cret")
        if form == "webhook"
        else mailing(home, "smtp://robot:s3cret@127.0.0.1:9")
    )
    with pytest.raises(DeliveryFailed, match="cannot be asked") as failed:
        send(settings)

    assert "s3cret" not in str(failed.value)


@pytest.mark.parametrize("form", ["webhook", "mail"])
def test_server_that_says_nothing_is_given_up(home: Path, form: str) -> None:
    with silent_server() as place:
        settings = (
            settings_in(home, alert_webhook=f"http://{place}/")
            if form == "webhook"
            else mailing(home, f"smtp://{place}")
        )
        with pytest.raises(DeliveryFailed, match="did not answer in time"):
            send(settings, seconds=0.2)


def test_mail_passes_no_network_as_plain_text(home: Path) -> None:
    with (
        mail_server(host=NOT_LOOPBACK) as server,
        pytest.raises(DeliveryFailed, match=r"offers no encryption \(STARTTLS\)"),
    ):
        send(mailing(home, server.url))

    assert server.mails == []


@pytest.fixture
def certificate(tmp_path: Path) -> ssl.SSLContext:
    """What a server at `NOT_LOOPBACK` shows; its certificate lies in `certificate.pem`."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "mail.example.com")])
    now = dt.datetime.now(dt.UTC)
    address = x509.IPAddress(ipaddress.ip_address(NOT_LOOPBACK))
    signed = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - dt.timedelta(days=1))
        .not_valid_after(now + dt.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([address]), critical=False)
        .sign(key, hashes.SHA256())
    )
    (tmp_path / "certificate.pem").write_bytes(signed.public_bytes(serialization.Encoding.PEM))
    (tmp_path / "key.pem").write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
    )
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(tmp_path / "certificate.pem", tmp_path / "key.pem")
    return context


def test_mail_to_another_machine_is_encrypted_before_anything_is_said(
    home: Path, tmp_path: Path, certificate: ssl.SSLContext, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "certificate.pem"))
    with mail_server(
        {"robot": "secret"}, host=NOT_LOOPBACK, tls_context=certificate, require_starttls=True
    ) as server:
        send(mailing(home, server.url.replace("//", "//robot:secret@")))

    assert server.was_encrypted == [True]


def test_server_with_a_certificate_that_nobody_vouches_for_gets_no_mail(
    home: Path, certificate: ssl.SSLContext
) -> None:
    with (
        mail_server(host=NOT_LOOPBACK, tls_context=certificate) as server,
        pytest.raises(DeliveryFailed, match="SSLCertVerificationError"),
    ):
        send(mailing(home, server.url))

    assert server.mails == []


def test_heartbeat_asks_for_its_url(home: Path, web: WebServer) -> None:
    beat(settings_in(home, heartbeat_url=f"{web.url}/ping/1a2b"), SECONDS)

    assert web.requests == [("GET", "/ping/1a2b", b"")]


def test_nothing_is_set_by_default(home: Path) -> None:
    assert channels_of(settings_in(home)) == []
