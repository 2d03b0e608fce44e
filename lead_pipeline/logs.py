"""Log lines: one per event, with what it is about.

    log.info("crawl ended", rows=12) ──what is bound: account, stream, window, crawl──▶ one line
        ├──▶ the logger `lead_pipeline…`, to which a handler may listen: standard error of a command
        └──▶ Dagster's log of a run and the daemon's output (`python_logs` of its configuration)

An event is a few words that never change; what varies are its fields. Neither holds a secret, a
record, or a response body. Belongs here: form and destination. Does not belong here: what is worth
an event; progress for people (`landing/progress.py`).
"""

from __future__ import annotations

import logging
import sys
from collections.abc import Iterator, Mapping, MutableMapping
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any, Literal, TextIO

import structlog

ROOT = "lead_pipeline"
"""The logger that all others of the package are below."""
Format = Literal["text", "json"]
Level = Literal["DEBUG", "INFO", "WARNING", "ERROR"]

ABOUT = ("account", "stream", "window", "crawl", "run")
"""What an event may be about; these fields come first."""

_FIELDS = "lead_pipeline_fields"
"""Where a record of ours has what it was made of."""

_format: Format = "text"


def log_of(name: str) -> structlog.stdlib.BoundLogger:
    """The log of a module, by its `__name__`."""
    log: structlog.stdlib.BoundLogger = structlog.wrap_logger(
        logging.getLogger(name),
        processors=[
            structlog.stdlib.filter_by_level,
            structlog.contextvars.merge_contextvars,
            _rendered,
        ],
        wrapper_class=structlog.stdlib.BoundLogger,
    )
    return log


def line_of(event: str, **fields: object) -> str:
    """An event as one line, for a log that is not ours."""
    (line,), _ = _rendered(None, "", {"event": event, **fields})
    return line


@contextmanager
def about(**fields: object) -> Iterator[None]:
    """Every event of the block, however deep, is about these: an account, a window, a crawl."""
    with structlog.contextvars.bound_contextvars(**fields):
        yield


def use_format(form: Format) -> None:
    """Let lines of this process have that form."""
    global _format
    _format = form


def show(level: Level, form: Format, stream: TextIO | None = None) -> None:
    """Show what is at least so grave on `stream` (standard error), in place of what was shown."""
    use_format(form)
    root = logging.getLogger(ROOT)
    for handler in [h for h in root.handlers if isinstance(h, _ShownHandler)]:
        root.removeHandler(handler)
    shown = _ShownHandler(stream or sys.stderr)
    shown.setLevel(level)
    shown.setFormatter(_LineFormatter())
    root.addHandler(shown)
    # Others listen too, such as Dagster's log of a run: the handler decides for itself.
    root.setLevel(min(logging.INFO, shown.level))


class _ShownHandler(logging.StreamHandler[TextIO]):
    """The handler that `show` has added."""


class _LineFormatter(logging.Formatter):
    """One line, with time and level; also of records that are not made by `log_of`."""

    def format(self, record: logging.LogRecord) -> str:
        fields: Mapping[str, object] = getattr(record, _FIELDS, {"event": record.getMessage()})
        at = datetime.fromtimestamp(record.created, UTC)
        if _format == "json":
            return _json(
                {
                    "at": f"{at:%Y-%m-%dT%H:%M:%S.%f}Z",
                    "level": record.levelname.lower(),
                    "logger": record.name,
                    **fields,
                }
            )
        return f"{at:%Y-%m-%d %H:%M:%SZ} {record.levelname:<7} {_text(fields)}"


def _rendered(
    logger: object, method: str, event: MutableMapping[str, Any]
) -> tuple[tuple[str], dict[str, Any]]:
    """The event as a message that anybody's handler can show, and its fields for ours."""
    del logger, method
    fields = {name: _plain(value) for name, value in event.items() if value is not None}
    first = ("event", *(name for name in ABOUT if name in fields))
    fields = {name: fields[name] for name in first} | fields
    line = _json(fields) if _format == "json" else _text(fields)
    return (line,), {"extra": {_FIELDS: fields}}


def _plain(value: object) -> object:
    if isinstance(value, datetime):
        return f"{value.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}"
    if isinstance(value, float):
        return round(value, 1)
    return value if isinstance(value, int | str | bool) else str(value)


_logfmt = structlog.processors.LogfmtRenderer(bool_as_flag=False)
_as_json = structlog.processors.JSONRenderer()


def _json(fields: Mapping[str, object]) -> str:
    return str(_as_json(None, "", dict(fields)))


def _text(fields: Mapping[str, object]) -> str:
    rest = dict(fields)
    event = str(rest.pop("event"))
    return " ".join(part for part in (event, str(_logfmt(None, "", rest))) if part)
