"""What the tables are made with, apart from landed files, and how it is known that it changed.

    steps, CSVs, settings, code, libraries ──▶ {input: digest} ──noted in──▶ normalized.fingerprint
                                                   └──compared by each load──▶ a rebuild, and why

A row of the tables is a function of a landed record and of these inputs, so tables that were made
with others cannot be loaded into. Which SQL and which modules are inputs follows from the declared
steps and from what they import, so nobody has to list them. Comments count like what they stand
beside: a rebuild too many costs minutes, one too few leaves wrong rows.
"""

from __future__ import annotations

import ast
import hashlib
import inspect
import sys
from collections.abc import Iterable, Iterator, Mapping
from itertools import chain
from typing import Any

import duckdb
import idna
import msgspec
import phonenumbers

from lead_pipeline.normalized import declared_steps
from lead_pipeline.normalized.canonical_stages import CANONICAL_STAGES
from lead_pipeline.normalized.inputs import LoadInputs
from lead_pipeline.normalized.session import Session, values_of
from lead_pipeline.normalized.steps import ComputedStep, SqlStep, TextStep
from lead_pipeline.providers import PROVIDERS

Fingerprint = Mapping[str, str]
"""By input, in words: the SHA-256 of it, or the input itself where it is as short as a version."""

OUTSIDE_OF_STEPS = ("schema", "load/session")
"""Statements that no step runs: the tables themselves, and what mappings may call."""
CHANGES_NO_VALUE = ("lead_pipeline.errors", "lead_pipeline.storage.seams")
"""Modules that steps import and that only word messages, or choose where files are durable."""
SHOWN_CHANGES = 6
_HASHED = "sha256:"


def fingerprint_of(inputs: LoadInputs) -> Fingerprint:
    """Every input by its name in words."""
    return {
        **_sql_digests(),
        **_provider_digests(),
        **_by_provider("the contract", inputs.known_fields),
        **_by_provider("the stage mapping", inputs.stages),
        "the canonical stages": _digest([values_of(s) for s in CANONICAL_STAGES.values()]),
        **_CODE_DIGESTS,
        **library_versions(),
        "the phone region": inputs.phone_region,
    }


def library_versions() -> dict[str, str]:
    """The libraries whose releases change values.

    phonenumbers changes the plans of numbers with each release, idna the letters of domains. A release of DuckDB, also a minor
    one, corrects casts, JSON and text functions, and the text of a state as JSON is the identity
    of a version. PyArrow only carries values, and msgspec reads what we have written ourselves.
    """
    return {
        "DuckDB": duckdb.__version__,
        "phonenumbers": phonenumbers.__version__,
        "idna": idna.__version__,
    }


def changed_inputs(before: Fingerprint, now: Fingerprint) -> list[str]:
    """What differs, in words, e.g. `["the mapping of hubspot", "phonenumbers 9.0.43 → 9.0.44"]`."""
    names = dict.fromkeys((*now, *before))
    return [_change(n, before.get(n), now.get(n)) for n in names if before.get(n) != now.get(n)]


def reason_of(before: Fingerprint, now: Fingerprint) -> str:
    """Why tables with the fingerprint `before` are to be rebuilt; empty where nothing changed."""
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
    steps = chain.from_iterable(declared_steps.PHASES.values())
    of_steps = [step.name for step in steps if isinstance(step, (SqlStep, ComputedStep, TextStep))]
    return {
        f"the SQL of {name}": _digest(Session.text(name)) for name in (*OUTSIDE_OF_STEPS, *of_steps)
    }


def _provider_digests() -> dict[str, str]:
    """What each provider's folder says of its records, apart from contract and stages."""
    digests = {}
    for slug, provider in PROVIDERS.items():
        streams = [(s.name, s.kind, s.tells_stage_changes) for s in provider.streams]
        digests[f"the streams of {slug}"] = _digest(streams)
        digests[f"the mapping of {slug}"] = _digest(provider.read_file("leads.sql"))
        if any(stream.tells_stage_changes for stream in provider.streams):
            events = provider.read_file("stage_events.sql")
            digests[f"the stage events of {slug}"] = _digest(events)
    return digests


def _by_provider(what: str, rows: Iterable[Any]) -> dict[str, str]:
    """One input per provider, whatever the order of the rows."""
    contents: dict[str, list[Any]] = {}
    for row in rows:
        contents.setdefault(row.provider, []).append(values_of(row))
    return {
        f"{what} of {provider}": _digest(sorted(of_provider, key=msgspec.json.encode))
        for provider, of_provider in contents.items()
    }


def _digest(content: object) -> str:
    text = content if isinstance(content, str) else msgspec.json.encode(content).decode()
    return _HASHED + hashlib.sha256(text.encode()).hexdigest()


def code_of_steps() -> list[str]:
    """The modules of ours that the declared steps are made of: theirs, and what these import."""
    found: list[str] = []
    to_read = [declared_steps.__name__]
    while to_read:
        name = to_read.pop()
        if name not in found and name not in CHANGES_NO_VALUE:
            found.append(name)
            to_read.extend(_imports_of(name))
    return sorted(found)


def _imports_of(name: str) -> Iterator[str]:
    """The modules of ours that a loaded module imports anywhere in its source."""
    for node in _nodes_of(ast.parse(inspect.getsource(sys.modules[name]))):
        if isinstance(node, ast.Import):
            imported = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            parts = (f"{node.module}.{alias.name}" for alias in node.names)
            imported = [part if part in sys.modules else f"{node.module}" for part in parts]
        else:
            continue
        yield from (module for module in imported if module.startswith("lead_pipeline."))


def _nodes_of(tree: ast.AST) -> Iterator[ast.AST]:
    """The nodes below `tree`, without what only type checkers read."""
    for node in ast.iter_child_nodes(tree):
        if not (isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING"):
            yield node
            yield from _nodes_of(node)


# Read at import, as the code itself is: a process that outlives an upgrade notes what it runs.
_CODE_DIGESTS = {
    f"the code of {name}": _digest(inspect.getsource(sys.modules[name])) for name in code_of_steps()
}
