"""What the tables are made with, apart from landed files, and how it is known that it changed.

    SQL, CSVs, settings, code, libraries ──▶ {input: digest} ──noted in──▶ normalized.fingerprint
                                                   └──compared by each load──▶ a rebuild, and why

A row of the tables is a function of a landed record and of these inputs, so tables that were made
with others cannot be loaded into. Comments are not told apart from what they stand beside: a
rebuild too many costs minutes, one too few leaves wrong rows. Belongs here: naming and digesting
inputs. Does not belong here: when to build the tables again (`load.py`).
"""

from __future__ import annotations

import hashlib
import inspect
from collections.abc import Iterable, Mapping
from dataclasses import astuple, dataclass
from importlib.resources import files
from types import ModuleType
from typing import Any

import duckdb
import msgspec
import phonenumbers

import lead_pipeline.landing.commits
import lead_pipeline.landing.coverage
import lead_pipeline.normalized.cleaning
import lead_pipeline.normalized.drift
import lead_pipeline.normalized.ledger
import lead_pipeline.normalized.mapped_stages
import lead_pipeline.normalized.records
import lead_pipeline.normalized.stage_names
import lead_pipeline.windows
from lead_pipeline.normalized.canonical_stages import CANONICAL_STAGES
from lead_pipeline.normalized.stages import StageMapping, stages_of
from lead_pipeline.providers import PROVIDERS
from lead_pipeline.providers.contract import KnownField, known_fields
from lead_pipeline.settings import Settings
from lead_pipeline.storage.sql import read_sql

Fingerprint = Mapping[str, str]
"""By input, in words: the SHA-256 of it, or the input itself where it is as short as a version."""

CODE = (
    lead_pipeline.landing.commits,
    lead_pipeline.landing.coverage,
    lead_pipeline.normalized.cleaning,
    lead_pipeline.normalized.drift,
    lead_pipeline.normalized.ledger,
    lead_pipeline.normalized.mapped_stages,
    lead_pipeline.normalized.records,
    lead_pipeline.normalized.stage_names,
    lead_pipeline.windows,
)
"""Modules that compute values or decide which records are taken; all others only call SQL."""
NOT_LOADED = ("check", "table_", "leads_by_stage", "normalized_columns")
"""How the names of statements begin that write no row."""
SHOWN_CHANGES = 6
_HASHED = "sha256:"


def library_versions() -> dict[str, str]:
    """The libraries whose releases change values.

    phonenumbers changes the plans of numbers with each release. A release of DuckDB, also a minor
    one, corrects casts, JSON and text functions, and the text of a state as JSON is the identity
    of a version. PyArrow only carries values, and msgspec reads what we have written ourselves.
    """
    return {"DuckDB": duckdb.__version__, "phonenumbers": phonenumbers.__version__}


def _digest(content: object) -> str:
    text = content if isinstance(content, str) else msgspec.json.encode(content).decode()
    return _HASHED + hashlib.sha256(text.encode()).hexdigest()


def _code_digest(module: ModuleType) -> str:
    return _digest(inspect.getsource(module))


# Read at import, as the code itself is: a process that outlives an upgrade notes what it runs.
_CODE_DIGESTS = {f"the code of {module.__name__}": _code_digest(module) for module in CODE}


@dataclass(frozen=True)
class Recipe:
    """What tables are made with, read once for the whole of a load."""

    stages: tuple[StageMapping, ...]
    known_fields: tuple[KnownField, ...]
    phone_region: str

    @classmethod
    def of(cls, settings: Settings) -> Recipe:
        """As the settings and files say now. Raises `LoadError` when a file cannot be used."""
        stages = tuple(stages_of(settings))
        fields = tuple(field for p in PROVIDERS.values() for field in known_fields(p))
        return cls(stages, fields, settings.phone_region)

    def fingerprint(self) -> Fingerprint:
        """Every input by its name in words."""
        return {
            **_sql_digests(),
            **_provider_digests(),
            **_by_provider("the contract", self.known_fields),
            **_by_provider("the stage mapping", self.stages),
            "the canonical stages": _digest([astuple(s) for s in CANONICAL_STAGES.values()]),
            **_CODE_DIGESTS,
            **library_versions(),
            "the phone region": self.phone_region,
        }


def changed_inputs(before: Fingerprint, now: Fingerprint) -> list[str]:
    """What differs, in words, e.g. `["the mapping of hubspot", "phonenumbers 9.0.43 → 9.0.44"]`."""
    names = dict.fromkeys((*now, *before))
    return [_change(n, before.get(n), now.get(n)) for n in names if before.get(n) != now.get(n)]


def reason_of(before: Fingerprint, now: Fingerprint) -> str:
    """Why tables with the fingerprint `before` are to be built again; empty where nothing changed."""
    if not before:
        return "an earlier version of lead-pipeline has built them"
    changes = changed_inputs(before, now)
    if not changes:
        return ""
    more = len(changes) - SHOWN_CHANGES
    rest = [f"{more} more"] if more > 0 else []
    return f"changed since they were built: {', '.join(changes[:SHOWN_CHANGES] + rest)}"


def _change(name: str, before: str | None, now: str | None) -> str:
    if before is None or now is None:
        return f"{name} ({'new' if before is None else 'gone'})"
    if before.startswith(_HASHED) or now.startswith(_HASHED):
        return name
    return f"{name} {before} → {now}"


def _sql_digests() -> dict[str, str]:
    """The SQL of all that loading does."""
    names = sorted(
        path.name.removesuffix(".sql")
        for path in files("lead_pipeline").joinpath("normalized", "sql").iterdir()
        if path.name.endswith(".sql")
    )
    return {
        f"the SQL of {name}": _digest(read_sql("normalized", name))
        for name in names
        if not name.startswith(NOT_LOADED)
    }


def _provider_digests() -> dict[str, str]:
    """What each provider's folder says of its records, apart from contract and stages."""
    digests = {}
    for slug, provider in PROVIDERS.items():
        digests[f"the streams of {slug}"] = _digest([(s.name, s.kind) for s in provider.streams])
        digests[f"the mapping of {slug}"] = _digest(provider.read_file("leads.sql"))
        if any(stream.tells_stage_changes for stream in provider.streams):
            events = provider.read_file("stage_events.sql")
            digests[f"the stage events of {slug}"] = _digest(events)
    return digests


def _by_provider(what: str, rows: Iterable[Any]) -> dict[str, str]:
    """One input per provider, whatever the order of the rows."""
    contents: dict[str, list[Any]] = {}
    for row in rows:
        contents.setdefault(row.provider, []).append(astuple(row))
    return {
        f"{what} of {provider}": _digest(sorted(of_provider, key=msgspec.json.encode))
        for provider, of_provider in contents.items()
    }
