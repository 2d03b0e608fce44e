"""Rows of a stage mapping's CSV file, whichever program saved it."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from lead_pipeline.errors import LoadError

OWN_COLUMNS = ("field", "value", "stage")
"""What a provider's own file needs; that of a user says `provider` as well."""
OPTIONAL = ("account", "stage_order", "is_terminal")


def read_text(path: Path) -> str:
    """The text of a user's file. Raises `LoadError` when it cannot be read as UTF-8."""
    try:
        return path.read_text("utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise LoadError(
            f"The stage mapping {path} cannot be read ({type(error).__name__}). Save it as "
            "UTF-8 text, or correct LEAD_PIPELINE_STAGES."
        ) from None


def lines_of(
    text: str, name: str, required: Sequence[str]
) -> Iterator[tuple[int, Mapping[str, str]]]:
    """Number and cells (by column; an optional column that is not there is empty) of each line.

    Commas, semicolons or tabs separate, as the header does; lines without content are skipped.
    Raises `LoadError` naming what cannot be used in the file called `name`.
    """
    reader = csv.reader(io.StringIO(text), delimiter=_separator(text), strict=True)
    try:
        header = [cell.strip().lower() for cell in next(reader, [])]
        _check_header(header, name, required)
        for cells in reader:
            if not any(cell.strip() for cell in cells):
                continue
            if any(cell.strip() for cell in cells[len(header) :]):
                raise LoadError(
                    f"{name}, line {reader.line_num}: {len(cells)} cells for {len(header)} "
                    "columns. Put a value that holds the separator into double quotes."
                )
            found = dict(zip(header, cells, strict=False))
            yield (
                reader.line_num,
                {column: found.get(column, "").strip() for column in (*required, *OPTIONAL)},
            )
    except csv.Error as error:
        raise LoadError(
            f"{name}, line {reader.line_num}: {error}. Quotes enclose a whole value, and a quote "
            'inside of it is doubled: "so ""called"" won".'
        ) from None


def _separator(text: str) -> str:
    """Spreadsheets of many countries save semicolons; no column's name holds a separator."""
    header = text.partition("\n")[0]
    return next((mark for mark in (";", "\t") if mark in header), ",")


def _check_header(header: list[str], name: str, required: Sequence[str]) -> None:
    known = (*required, *OPTIONAL)
    columns = f"{','.join(required)}, and where wanted {','.join(OPTIONAL)}"
    missing = [column for column in required if column not in header]
    unknown = [column for column in header if column and column not in known]
    twice = {column for column in header if column and header.count(column) > 1}
    if missing:
        raise LoadError(
            f"{name}, line 1: the header lacks {', '.join(missing)}. Write {columns}, separated "
            "by commas."
        )
    if unknown or twice:
        wrong = ", ".join(repr(column) for column in [*unknown, *sorted(twice)])
        raise LoadError(
            f"{name}, line 1: {wrong} is no column, or is there twice. Write {columns}."
        )
