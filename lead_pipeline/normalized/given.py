"""What a load was given, as the columns and parameters that steps take."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import chain

from lead_pipeline.landing.commits import CommitRecord
from lead_pipeline.normalized.steps import Columns, Parameters, StepContext
from lead_pipeline.providers import PROVIDERS

_CRAWL_COLUMNS = (
    "crawl_id",
    "account",
    "provider",
    "stream",
    "proven_from",
    "proven_until",
    "started_at",
    "finished_at",
    "served_from",
    "unchanged_until",
    "note",
)
"""Of `normalized.crawls`; commit records have them by the same names."""


def streams(context: StepContext) -> Columns:
    """Every provider's streams, their kinds, and whether their records tell a lead's whole history."""
    del context
    return _transposed(
        ("provider", "stream", "kind", "tells_history"),
        (
            (
                provider.slug,
                stream.name,
                stream.kind,
                stream.kind == "records" and stream.tells_stage_changes,
            )
            for provider in PROVIDERS.values()
            for stream in provider.streams
        ),
    )


def known_fields(context: StepContext) -> Columns:
    """What the `contract.csv` of all providers say."""
    return _transposed(
        ("provider", "stream", "field", "type", "known_values", "stage_field", "lead_column"),
        (
            (
                row.provider,
                row.stream,
                row.field,
                row.type,
                list(row.values),
                row.stage_field,
                row.column,
            )
            for row in context.known_fields
        ),
    )


def crawls(context: StepContext) -> Columns:
    """Columns of `normalized.crawls` from commit records."""
    columns = {name: [getattr(r, name) for r in context.records] for name in _CRAWL_COLUMNS}
    return columns | {
        "is_complete": [record.complete for record in context.records],
        "total": [_expected(record) for record in context.records],
        "is_full": [record.is_full and _is_list(record) for record in context.records],
        "shows_absence": [record.shows_absence and _is_list(record) for record in context.records],
    }


def absences(context: StepContext) -> Columns:
    """Leads that searches by counts did not find, and when."""
    return _transposed(
        ("crawl_id", "account", "lead_key", "not_shown_at"),
        (
            (record.crawl_id, record.account, f"{record.account}:{lead.lead_id}", lead.at)
            for record in context.records
            for lead in (record.absences.vanished if record.absences else [])
            if not _is_erased(record.account, lead.lead_id, context)
        ),
    )


def files(context: StepContext) -> Columns:
    """The files that this load reads."""
    return _transposed(
        ("path", "crawl_id", "loaded_rows"),
        ((file.path, file.crawl.crawl_id, file.rows) for file in context.files),
    )


def files_to_check(context: StepContext) -> Columns:
    """All files of the crawls of this load, also those that an earlier one has read."""
    return _transposed(
        ("path", "loaded_rows"),
        (
            (file.path, file.rows)
            for record in context.records
            for file in chain(record.files, record.seen_files)
        ),
    )


def batch_files(context: StepContext) -> Iterable[Parameters]:
    """Where the files of the batch lie."""
    return [{"files": _paths(context)}]


def batch_records(context: StepContext) -> Iterable[Parameters]:
    """The same, and which of their rows are wanted, where it is not all of them."""
    parts = [file.place for file in context.batch if file.is_part]
    return [
        {
            "files": _paths(context),
            "are_parts": bool(parts),
            "part_files": [str(context.landing / part.path) for part in parts],
            "first_rows": [part.first_row for part in parts],
            "end_rows": [part.end_row for part in parts],
        }
    ]


def _paths(context: StepContext) -> list[str]:
    return list(dict.fromkeys(str(context.landing / file.place.path) for file in context.batch))


def chunk(context: StepContext) -> Iterable[Parameters]:
    """Which part of the changed leads it is, of how many."""
    return [{"chunk": context.chunk, "chunks": context.chunks}]


def _is_erased(account: str, lead_id: str, context: StepContext) -> bool:
    return account in context.erased and context.erased[account].has(lead_id)


def _expected(record: CommitRecord) -> int | None:
    """How many leads the provider counted, without the erased ones that it still has."""
    return None if record.total is None else max(0, record.total - record.erased)


def _is_list(record: CommitRecord) -> bool:
    return record.stream == PROVIDERS[record.provider].records_stream.name


def _transposed(names: tuple[str, ...], rows: Iterable[tuple[object, ...]]) -> Columns:
    columns = list(zip(*rows, strict=True)) or [()] * len(names)
    return dict(zip(names, columns, strict=True))
