"""E-mail addresses as forms and mail programs write them, to one form per mailbox.

    "Jane <mailto:JANE@Müller.Example.>" ──▶ "jane@xn--mller-kva.example"

The form is for matching. What is no address of one mailbox has none.
"""

from __future__ import annotations

import re
from functools import lru_cache
from urllib.parse import unquote

import idna

from lead_pipeline.contacts.written import in_one_width, without_invisible

MOST_LOCAL_BYTES = 64
"""Of what stands before the @ (RFC 5321, 4.5.3.1.1)."""
MOST_DOMAIN_LETTERS = 253
_KNOWN_DOMAINS = 50_000
_PLAIN = re.compile(r"[a-z0-9._%+-]+@(?:[a-z0-9](?:[a-z0-9-]*[a-z0-9])?\.)+[a-z]{2,}")
"""Nearly every address: nothing of it can be written in another way but its case."""
_ENCODED_LABEL = "@xn--", ".xn--"
_BRACKETED = re.compile(r"<([^<>]*)>[\s.,;]*$")
_COMMENT = re.compile(r"^\s*\([^()@]*\)|\([^()@]*\)\s*$")
_MAILTO = re.compile(r"^\s*mailto:(?://)?", re.IGNORECASE)
_AROUND = " \t\r\n\f\v.,;:'\"<>`\u2018\u2019\u201c\u201d"
_NOT_IN_LOCAL = re.compile(r'[\s()<>\[\]:;@\\,"\x00-\x1f\x7f]')
_IDEOGRAPHIC_DOTS = re.compile("[\u3002\uff0e\uff61]")


def normalized_email(text: str) -> str | None:
    """The mailbox that `text` names, in the form in which all ways of writing it agree.

    None where it names none, or more than one.
    """
    plain = text.strip().lower()
    if (
        len(plain) <= MOST_LOCAL_BYTES
        and _PLAIN.fullmatch(plain)
        and not any(label in plain for label in _ENCODED_LABEL)
    ):
        return plain
    plain = in_one_width(without_invisible(text)).strip()
    if bracketed := _BRACKETED.search(plain):
        plain = bracketed[1]
    plain = _COMMENT.sub("", plain)
    if link := _MAILTO.match(plain):
        plain = without_invisible(unquote(plain[link.end() :].partition("?")[0]))
    local, at, domain = plain.strip(_AROUND).strip().rpartition("@")
    local, encoded = local.rstrip().lower(), _ascii_domain(domain.strip().lower())
    if not at or encoded is None or not _is_local(local):
        return None
    return f"{local}@{encoded}"


def _is_local(local: str) -> bool:
    size = len(local.encode("utf-8", "replace"))
    return 0 < size <= MOST_LOCAL_BYTES and not _NOT_IN_LOCAL.search(local)


@lru_cache(_KNOWN_DOMAINS)
def _ascii_domain(domain: str) -> str | None:
    """The domain by IDNA (UTS 46, without the transition from 2003); None where it is no domain."""
    domain = _IDEOGRAPHIC_DOTS.sub(".", domain).rstrip(".")
    if len(domain) > MOST_DOMAIN_LETTERS:
        return None
    try:
        encoded = idna.encode(domain, uts46=True).decode().lower()
    except (idna.IDNAError, UnicodeError):
        return None
    top = encoded.rpartition(".")[2]
    return encoded if "." in encoded and not top.isdigit() else None
