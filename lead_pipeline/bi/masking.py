"""Personal data replaced by keyed hashes, while the leads are copied into the candidate.

    warehouse.duckdb ──HMAC-SHA256 of names, addresses, numbers; free text left out──▶ candidate

`masking.csv` says how each column is treated. dbt, the marts and the published file never see a plain
value, so none can reach their logs either.
"""

from __future__ import annotations

import csv
import hashlib
import hmac
from collections.abc import Sequence
from dataclasses import astuple, dataclass, field
from functools import cache
from importlib.resources import files

import duckdb

from lead_pipeline.bi.dbt_project import DbtProject, project_variable
from lead_pipeline.errors import PublishError
from lead_pipeline.settings import Settings
from lead_pipeline.storage.sql import read_sql

_BLOCK_BYTES = 64
"""Block size of SHA-256, to which HMAC pads its key (RFC 2104)."""
_RULES_ID_DIGITS = 8
_KEY_ID_LABEL = b"lead_pipeline masking key id"
_KEY_ID_DIGITS = 8
_SCHEME = "1: no digest of plain rows, rows in the order of their keys, one mailbox for all shared"
"""Begins with a number that rises when files masked until then can tell who the leads are."""

TREATMENTS = ("keep", "hash", "hash_name", "hash_email", "remove")


@dataclass(frozen=True)
class Mask:
    """A masking key, ready for use. Its representation shows the id only."""

    key_id: str
    """Tells one key from another, without telling anything else of it."""
    inner_pad: bytes = field(repr=False)
    outer_pad: bytes = field(repr=False)

    @classmethod
    def of_key(cls, key: str) -> Mask:
        """The mask of a secret key."""
        secret = key.encode()
        block = hashlib.sha256(secret).digest() if len(secret) > _BLOCK_BYTES else secret
        block = block.ljust(_BLOCK_BYTES, b"\0")
        key_id = hmac.new(secret, _KEY_ID_LABEL, hashlib.sha256).hexdigest()[:_KEY_ID_DIGITS]
        return cls(key_id, bytes(b ^ 0x36 for b in block), bytes(b ^ 0x5C for b in block))


@dataclass(frozen=True)
class Treatment:
    """What happens to one column when it is masked."""

    table: str
    column: str
    treatment: str
    """One of `TREATMENTS`."""


def mask_of(settings: Settings) -> Mask | None:
    """The mask that the settings ask for; None: publish as served."""
    if not settings.masking or settings.masking_key is None:
        return None
    return Mask.of_key(settings.masking_key.get_secret_value())


@cache
def treatments() -> tuple[Treatment, ...]:
    """The lines of `masking.csv`."""
    text = files("lead_pipeline").joinpath("bi", "masking.csv").read_text("utf-8")
    return tuple(Treatment(*line) for line in list(csv.reader(text.splitlines()))[1:])


def rules_id() -> str:
    """Tells how files are masked: what is done to which column, whatever the key."""
    rules = [_SCHEME, *(",".join(astuple(line)) for line in treatments())]
    return hashlib.sha256("\n".join(rules).encode()).hexdigest()[:_RULES_ID_DIGITS]


def prepare_masking(
    connection: duckdb.DuckDBPyConnection, mask: Mask | None, project: DbtProject | None = None
) -> None:
    """Give the session the functions `masked`, `masked_name` and `masked_email`.

    Which addresses are nobody's own is what the variables of the dbt `project` (ours) say.

    The key is in session variables and travels as a parameter, so it is in no statement that an
    error could quote. Without a mask, the functions give back what they get.
    """
    if mask is None:
        connection.execute(read_sql("bi", "create_unmasked"))
        return
    variables = {
        "inner_pad": mask.inner_pad,
        "outer_pad": mask.outer_pad,
        "shared_mailboxes": project_variable("person_shared_mailboxes", project) or [],
        "placeholder_mailboxes": project_variable("person_placeholder_mailboxes", project) or [],
        "placeholder_domains": project_variable("person_placeholder_domains", project) or [],
    }
    for name, value in variables.items():
        connection.execute(f"set variable {name} = $value", {"value": value})
    connection.execute(read_sql("bi", "create_masked"))


def treatments_of(mask: Mask | None, columns: Sequence[tuple[str, str]]) -> dict[str, list[str]]:
    """The parameters of the copy: `columns` as `<table>.<column>`, and the `treatments` of each.

    Raises `PublishError` for a column that `masking.csv` does not list: better no file than one
    with a plain value that nobody has thought of.
    """
    names = [f"{table}.{column}" for table, column in columns]
    if mask is None:
        return {"columns": names, "treatments": ["keep"] * len(names)}
    known = {f"{line.table}.{line.column}": line.treatment for line in treatments()}
    if unknown := [name.replace(".", ",") for name in names if name not in known]:
        raise PublishError(
            f"LEAD_PIPELINE_MASKING is on, and lead_pipeline/bi/masking.csv does not say how to "
            f"treat {'; '.join(unknown)}. Add a line for each, ending in {' or '.join(TREATMENTS)}."
        )
    return {"columns": names, "treatments": [known[name] for name in names]}


def note_masking(
    connection: duckdb.DuckDBPyConnection, mask: Mask | None, parameters: dict[str, list[str]]
) -> None:
    """Write `meta.masking` into the current database: what was masked, with which key.

    `parameters` are those of `treatments_of`, and the `tables` that readers get.
    """
    connection.execute(read_sql("bi", "masking"))
    if mask is not None:
        connection.execute(read_sql("bi", "insert_masking"), parameters | {"key_id": mask.key_id})


def masking_key_id_in(connection: duckdb.DuckDBPyConnection) -> str | None:
    """The key that the current database is masked with; None: it is not masked."""
    row = connection.execute("select any_value(masking_key_id) from meta.masking").fetchone()
    return None if row is None else row[0]


def follows_present_rules(connection: duckdb.DuckDBPyConnection) -> bool:
    """Whether the current database, a tested build, is as served or masked by the rules of now.

    Builds that an earlier version masked name no rules.
    """
    if masking_key_id_in(connection) is None:
        return True
    build = connection.table("meta.build")
    if "masking_rules_id" not in build.columns:
        return False
    return build.project("masking_rules_id").fetchone() == (rules_id(),)
