"""The key of the hashes by which erased persons are known again.

    LEAD_PIPELINE_ERASURE_KEY, else <home>/erasure.key ──HMAC-SHA256──▶ hashes in tombstones

Whoever has landing, a backup of it included, can tell nobody from a hash without the key; so it lies
apart from landing. Belongs here: reading and making the key, hashing with it. Does not belong here:
what is hashed, and where hashes lie.
"""

from __future__ import annotations

import hashlib
import hmac
import os
import secrets
from dataclasses import dataclass, field
from pathlib import Path

from lead_pipeline.errors import ConfigurationError
from lead_pipeline.settings import Settings
from lead_pipeline.storage.files import replace_atomically, temporary_of
from lead_pipeline.storage.locks import held

_ID_LABEL = b"lead_pipeline erasure key id"
_ID_DIGITS = 16
_SECRET_BYTES = 32
_PRIVATE = 0o600


@dataclass(frozen=True)
class ErasureKey:
    """A key, ready for use. Its representation shows the id only."""

    key_id: str
    """Tells one key from another, without telling anything else of it."""
    secret: bytes = field(repr=False)

    @classmethod
    def of(cls, secret: str) -> ErasureKey:
        """The key of a secret text."""
        key = secret.strip().encode()
        return cls(hmac.new(key, _ID_LABEL, hashlib.sha256).hexdigest()[:_ID_DIGITS], key)

    def hash_of(self, kind: str, *parts: str) -> str:
        """The keyed hash of a value of that kind, in hexadecimal digits."""
        # Ids may hold any character, so each part says its length.
        text = "".join(f"{len(part)}:{part}" for part in (kind, *parts))
        return hmac.digest(self.secret, text.encode("utf-8", "replace"), "sha256").hex()


def read_key(settings: Settings) -> ErasureKey | None:
    """The key of the settings, else of the home; None where there is none yet.

    Raises `ConfigurationError` where the file cannot be read.
    """
    if settings.erasure_key is not None:
        return ErasureKey.of(settings.erasure_key.get_secret_value())
    path = settings.erasure_key_path
    try:
        secret = path.read_text("utf-8").strip()
    except FileNotFoundError:
        return None
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigurationError(
            f"The key of erasures, {path}, cannot be read ({type(error).__name__}). Let the user of "
            "the pipeline read it, or restore it from a backup."
        ) from None
    if not secret:
        raise ConfigurationError(
            f"The key of erasures, {path}, is empty. Restore it from a backup, or set "
            "LEAD_PIPELINE_ERASURE_KEY."
        )
    return ErasureKey.of(secret)


def make_key(settings: Settings) -> ErasureKey:
    """The key, made once where there is none; any number of processes get the same one.

    Raises `ConfigurationError` for a team whose variable is not set: a key in one worker's home would be
    nobody else's.
    """
    if settings.shared is not None and settings.erasure_key is None:
        raise ConfigurationError(
            "LEAD_PIPELINE_ERASURE_KEY is not set. Workers that share a store need the same key: set it "
            "for all of them, to what openssl rand -hex 32 gives, and keep it. Nothing was erased."
        )
    with held(settings.home / ".locks" / "erasure-key", "making the key of erasures"):
        found = read_key(settings)
        if found is None:
            _write_private(settings.erasure_key_path, secrets.token_hex(_SECRET_BYTES))
            found = read_key(settings)
        if found is None:
            raise ConfigurationError(
                f"The key of erasures, {settings.erasure_key_path}, was written and is gone. Look at "
                "the disk, or set LEAD_PIPELINE_ERASURE_KEY."
            )
        return found


def _write_private(path: Path, text: str) -> None:
    """Write a file that nobody else may read at any moment; it is on disk on return."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = temporary_of(path)
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, _PRIVATE)
    with os.fdopen(descriptor, "w") as file:
        file.write(f"{text}\n")
    replace_atomically(temporary, path)
