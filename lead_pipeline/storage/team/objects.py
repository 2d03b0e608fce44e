"""Objects in a team's store: S3, Google Cloud Storage or Azure, through obstore.

    LEAD_PIPELINE_SHARED=s3://bucket/prefix ──▶ ObjectStore ──▶ create, replace, put, get, list, delete

Names are relative to the prefix, with `/` between their parts. What must not be overwritten blindly
is written by one conditional request (conditional uploads in parts are not safe). Belongs here: one
request and its repetition, which error means what. Does not belong here: what objects mean.
"""

from __future__ import annotations

import hashlib
import os
import re
import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from lead_pipeline.addresses import secure_url
from lead_pipeline.errors import ConfigurationError, StoreUnavailable
from lead_pipeline.settings import environment_variables
from lead_pipeline.storage.files import replace_atomically, temporary_of
from lead_pipeline.storage.team.extra import require_team

if TYPE_CHECKING:
    from obstore import ObjectMeta, PutMode, PutResult
    from obstore.store import ObjectStore as Connection

ATTEMPTS = 5
"""Of a conditional request whose answer got lost: what became of it is looked at before each."""
FIRST_PAUSE_SECONDS = 0.2
PATIENCE_SECONDS = 60.0
"""How long a request is repeated by default while the store does not answer, or says 5xx."""
PART_BYTES = 16 * 1024 * 1024

_CREDENTIALS = {
    "s3": "AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or the machine's role",
    "gs": "GOOGLE_APPLICATION_CREDENTIALS, or the machine's account",
    "az": "AZURE_STORAGE_ACCOUNT_NAME with AZURE_STORAGE_ACCOUNT_KEY, or the machine's identity",
}
_PREFIXES = {"s3": "AWS_", "gs": "GOOGLE_", "az": "AZURE_"}
_ENDPOINT = re.compile(
    r"AWS_ENDPOINT|AWS_ENDPOINT_URL(_S3)?|AZURE_(STORAGE_)?ENDPOINT|GOOGLE_BASE_URL"
)
_NOT_OF_OBSTORE = ("_PROFILE", "_ALLOW_HTTP")
"""Endings of variables that are of other programs, or that the endpoint decides."""
_STATUS = re.compile(r"status code: (\d{3})")
_CODE = re.compile(r"<Code>([A-Za-z]+)</Code>")


@dataclass(frozen=True)
class Version:
    """By what a state of an object is known to be the same; another content has another one."""

    etag: str | None
    number: str | None = None
    """Google counts the states of an object, and compares only these."""


@dataclass(frozen=True)
class StoredObject:
    """One object as a list shows it."""

    name: str
    bytes: int
    version: Version


@dataclass(frozen=True)
class Fetched:
    """What an object holds, and which state of it that is."""

    content: bytes
    version: Version


class ObjectMissing(Exception):
    """There is no object of that name."""


class NameTaken(Exception):
    """There is an object of that name already, and somebody else has written it."""


class Outdated(Exception):
    """The object is not in the state that was expected: somebody else has written it, or removed it."""


class ObjectStore:
    """The objects below one prefix of a bucket. May be used by several threads, in one process."""

    def __init__(self, url: str, connection: Connection) -> None:
        """`url` is shown in messages: it holds no secret. See `open_store`."""
        self.url = url
        self._scheme = urlsplit(url).scheme
        self._connection = connection

    def find(self, name: str) -> StoredObject | None:
        """The object without its content; None where there is none."""
        import obstore

        try:
            with self._telling(f"look at {name}"):
                return _stored(obstore.head(self._connection, name))
        except ObjectMissing:
            return None

    def get(self, name: str) -> Fetched:
        """Raises `ObjectMissing`."""
        import obstore

        with self._telling(f"read {name}"):
            found = obstore.get(self._connection, name)
            return Fetched(bytes(found.bytes()), _version(found.meta))

    def list(self, folder: str = "") -> Iterator[StoredObject]:
        """All objects below `folder` and its folders, in the order of their names."""
        import obstore

        try:
            with self._telling(f"list {folder or 'it'}"):
                found = [
                    _stored(meta)
                    for part in obstore.list(self._connection, folder or None, chunk_size=1000)
                    for meta in part
                ]
        except ObjectMissing:
            # Nothing of that name is an empty list; only a bucket can be missing.
            raise ConfigurationError(_no_bucket(self.url)) from None
        yield from sorted(found, key=lambda stored: stored.name)

    def put(self, name: str, content: bytes) -> Version:
        """Write an object whatever is there."""
        with self._telling(f"write {name}"):
            return self._put(name, content, "overwrite")

    def put_file(self, name: str, path: Path) -> Version:
        """Write an object of any size, in parts, whatever is there: for names that nobody else uses."""
        import obstore

        with self._telling(f"write {name}"):
            return _version(obstore.put(self._connection, name, path, chunk_size=PART_BYTES))

    def create(self, name: str, content: bytes) -> Version:
        """Write an object where there is none; that of an own request whose answer got lost counts.

        Raises `NameTaken` where it has another content.
        """
        try:
            return self._conditionally(name, content, "create")
        except _Refused:
            raise NameTaken(name) from None

    def replace(self, name: str, content: bytes, expected: Version) -> Version:
        """Write an object whose state is the `expected` one.

        An own request whose answer got lost is known by its content. So the content must differ from
        all that others may write: by a name, a random number. Raises `Outdated`.
        """
        mode: dict[str, str] = {}
        if expected.etag is not None:
            mode["e_tag"] = expected.etag
        if expected.number is not None:
            mode["version"] = expected.number
        try:
            return self._conditionally(name, content, mode)  # type: ignore[arg-type]
        except _Refused:
            raise Outdated(name) from None

    def swap(self, name: str, content: bytes, expected: Version | None) -> Version:
        """Write an object in the place of the `expected` state of it; None: where there is none.

        The content must differ from all that others may write, as for `replace`. Raises `Outdated`.
        """
        if expected is not None:
            return self.replace(name, content, expected)
        try:
            return self.create(name, content)
        except NameTaken:
            raise Outdated(name) from None

    def delete(self, *names: str) -> None:
        """Remove objects, in any order; one that is not there is no error."""
        import obstore

        # S3 takes a thousand in one request; elsewhere one that is missing would end it.
        bundles = [list(names)] if self._scheme == "s3" else [[name] for name in names]
        for bundle in filter(None, bundles):
            try:
                with self._telling(f"remove {bundle[0]}"):
                    obstore.delete(self._connection, bundle)
            except ObjectMissing:
                continue

    def download(self, name: str, path: Path, sha256: str | None = None) -> tuple[str, Version]:
        """Put what the object holds into the file `path`, whole or not at all, and synced.

        Returns the SHA-256 of the content, as hex digits, and its version. Raises `ObjectMissing`,
        and `StoreUnavailable` where the digest is not the `sha256` that was expected.
        """
        import obstore

        path.parent.mkdir(parents=True, exist_ok=True)
        temporary = temporary_of(path)
        try:
            with self._telling(f"read {name}"):
                found = obstore.get(self._connection, name)
                digest, size = _write(found.stream(), temporary)
            if size != found.meta["size"] or (sha256 is not None and digest != sha256):
                raise StoreUnavailable(
                    f"{self.url}/{name} came with {size:,} bytes and the SHA-256 {digest}, which is "
                    "not what was written there. Run the same command again; if it says so again, "
                    "restore the object from an earlier version of it."
                )
            replace_atomically(temporary, path)
        finally:
            temporary.unlink(missing_ok=True)
        return digest, _version(found.meta)

    def _put(self, name: str, content: bytes, mode: PutMode) -> Version:
        import obstore

        return _version(
            obstore.put(self._connection, name, content, mode=mode, use_multipart=False)
        )

    def _conditionally(self, name: str, content: bytes, mode: PutMode) -> Version:
        """One conditional request, repeated while its answer does not come."""
        from obstore.exceptions import AlreadyExistsError, PreconditionError

        for attempt in range(ATTEMPTS):
            try:
                with self._telling(f"write {name}"):
                    try:
                        return self._put(name, content, mode)
                    except (AlreadyExistsError, PreconditionError):
                        return self._own(name, content)
            except StoreUnavailable:
                if attempt + 1 == ATTEMPTS:
                    raise
                time.sleep(FIRST_PAUSE_SECONDS * 2**attempt)
            except ObjectMissing:
                # Google says so of an object that was to be replaced.
                raise _Refused from None
        raise AssertionError("the last attempt returns or raises")

    def _own(self, name: str, content: bytes) -> Version:
        """The version of the object, if it is what this process wanted to write."""
        found = self.get(name)
        if found.content != content:
            raise _Refused
        return found.version

    @contextmanager
    def _telling(self, what: str) -> Iterator[None]:
        """Errors of obstore as ours: they quote answers of the server, which nobody shall read."""
        from obstore.exceptions import BaseError, PermissionDeniedError, UnauthenticatedError

        try:
            yield
        except FileNotFoundError as error:
            if _code_of(error) == "NoSuchBucket":
                raise ConfigurationError(_no_bucket(self.url)) from None
            raise ObjectMissing(what) from None
        except (PermissionDeniedError, UnauthenticatedError) as error:
            raise self._refusal(what, error) from None
        except BaseError as error:
            if type(error).__name__ in ("AlreadyExistsError", "PreconditionError"):
                raise
            if _code_of(error) == "NoSuchBucket":
                raise ConfigurationError(_no_bucket(self.url)) from None
            if _STATUS.findall(str(error))[:1] in (["401"], ["403"]):
                # Without any credentials the answer is told as another error.
                raise self._refusal(what, error) from None
            raise StoreUnavailable(
                f"The store {self.url} did not {what} ({_kind_of(error)}). Nothing is lost: run the "
                "same command again once it answers."
            ) from None

    def _refusal(self, what: str, error: BaseException) -> ConfigurationError:
        return ConfigurationError(
            f"The store {self.url} refuses to {what} ({_kind_of(error)}). Check the credentials "
            f"({_CREDENTIALS[self._scheme]}) and what they may do: read, write, list and remove."
        )


class _Refused(Exception):
    """A condition did not hold, and what is there is not ours."""


def open_store(url: str, patience: float = PATIENCE_SECONDS) -> ObjectStore:
    """The store of `LEAD_PIPELINE_SHARED`, with the credentials of the cloud's own variables.

    A request is repeated for `patience` seconds while the store does not answer. Asks nothing yet.
    Raises `ConfigurationError` where the package is missing, or others could read along.
    """
    require_team("LEAD_PIPELINE_SHARED", "obstore")
    from obstore.exceptions import BaseError
    from obstore.store import from_url

    url = url.rstrip("/")
    if "@" in url:
        # Not shown: what stands before it may be a password.
        raise ConfigurationError(
            "LEAD_PIPELINE_SHARED names a bucket and a prefix, without credentials. These are taken from "
            "the cloud's own variables (docs/team.md)."
        )
    variables = environment_variables()
    scheme = urlsplit(url).scheme
    is_plain = _is_plain(variables, scheme)
    try:
        return ObjectStore(
            url,
            from_url(
                url,
                config=_of_dotenv(variables, scheme),
                client_options={
                    "allow_http": is_plain,
                    "connect_timeout": timedelta(seconds=10),
                    # Of each part that comes: a large object may take longer as a whole.
                    "read_timeout": timedelta(seconds=60),
                    "timeout": timedelta(hours=6),
                },
                retry_config={
                    "max_retries": 10,
                    "retry_timeout": timedelta(seconds=patience),
                    "backoff": {
                        "init_backoff": timedelta(seconds=FIRST_PAUSE_SECONDS),
                        "max_backoff": timedelta(seconds=10),
                        "base": 2,
                    },
                },
            ),
        )
    except (BaseError, ValueError, TypeError) as error:
        raise ConfigurationError(
            f"LEAD_PIPELINE_SHARED={url} cannot be opened ({type(error).__name__}). Check "
            f"{_CREDENTIALS[scheme]}, and the other variables that begin with {_PREFIXES[scheme]}."
        ) from None


def _is_plain(variables: Mapping[str, str], scheme: str) -> bool:
    """Whether the store is reached by plain http, which is taken for this machine only."""
    is_plain = False
    for name, value in variables.items():
        if name.startswith(_PREFIXES[scheme]) and _ENDPOINT.fullmatch(name):
            try:
                is_plain |= secure_url(value).startswith("http://")
            except ValueError as error:
                raise ConfigurationError(f"{name} {error}.") from None
    return is_plain


def _of_dotenv(variables: Mapping[str, str], scheme: str) -> Any:
    """The cloud's variables that only `.env` has: obstore itself looks at the environment."""
    return {
        name.lower(): value
        for name, value in variables.items()
        if name.startswith(_PREFIXES[scheme])
        and not name.endswith(_NOT_OF_OBSTORE)
        and name not in os.environ
    }


def _write(parts: Iterable[bytes], path: Path) -> tuple[str, int]:
    digest, size = hashlib.sha256(), 0
    with path.open("wb") as target:
        for part in parts:
            digest.update(part)
            size += target.write(part)
    return digest.hexdigest(), size


def _stored(meta: ObjectMeta) -> StoredObject:
    return StoredObject(meta["path"], meta["size"], _version(meta))


def _version(answer: ObjectMeta | PutResult) -> Version:
    return Version(answer["e_tag"], answer["version"])


def _no_bucket(url: str) -> str:
    return (
        f"LEAD_PIPELINE_SHARED={url}: there is no such bucket. Make it, or correct the name; the "
        "region and the endpoint count too."
    )


def _code_of(error: BaseException) -> str:
    found = _CODE.search(str(error))
    return found[1] if found else ""


def _kind_of(error: BaseException) -> str:
    """What may be told of an error: its class, the status and the code of the answer."""
    status = _STATUS.search(str(error))
    parts = [status[1] if status else "", _code_of(error)]
    said = " ".join(part for part in parts if part)
    return said or f"{type(error).__name__}: no answer"
