"""Small files that carry a digest of themselves, so that a flipped bit is never taken for a value.

    JSON document ──seal_document──▶ the same document, with "record_sha256" as its last field
    bytes         ──seal_bytes─────▶ mark, digest, bytes

Documents without a digest are those of earlier releases, or of other programs: they are read as they
are. Belongs here: digests of contents. Does not belong here: what the contents mean.
"""

from __future__ import annotations

import re
from hashlib import sha256


class DamagedFile(ValueError):
    """The content is not what was written."""


_NAME = b'"record_sha256"'
_SEAL = re.compile(rb",\n " + _NAME + rb': "([^"]*)"\n}\Z')
_MARK = b"LPS1"
_DIGEST_BYTES = sha256().digest_size


def seal_document(document: bytes) -> bytes:
    """The JSON object, indented by one blank, with its digest as the last field."""
    body = document.removesuffix(b"\n}")
    if len(body) != len(document) - 2:
        raise ValueError("only a JSON object with a field a line can be sealed")
    digest = sha256(document).hexdigest().encode()
    return body + b",\n " + _NAME + b': "' + digest + b'"\n}'


def open_document(content: bytes) -> bytes:
    """The document that was sealed. Raises `DamagedFile` where its digest is another one."""
    found = _SEAL.search(content)
    if found is None:
        if _NAME in content:
            raise DamagedFile("its digest cannot be read")
        return content
    document = content[: found.start()] + b"\n}"
    if sha256(document).hexdigest().encode() != found[1]:
        raise DamagedFile("its digest is not that of its content")
    return document


def seal_bytes(content: bytes) -> bytes:
    """`content` behind its digest."""
    return _MARK + sha256(content).digest() + content


def open_bytes(sealed: bytes) -> bytes:
    """What was sealed; what bears no digest is returned as it is. Raises `DamagedFile`."""
    if not sealed.startswith(_MARK):
        return sealed
    start = len(_MARK) + _DIGEST_BYTES
    content = sealed[start:]
    if sha256(content).digest() != sealed[len(_MARK) : start]:
        raise DamagedFile("its digest is not that of its content")
    return content
