"""The kinds of findings, in the order of their weight. Imports nothing, for the help of commands."""

from __future__ import annotations

from typing import NamedTuple


class Kind(NamedTuple):
    """A kind of finding, and one sentence on what it means."""

    name: str
    help: str


KINDS = (
    Kind("damaged", "Landed files or commit records are gone, or not what crawls have written."),
    Kind("gap", "Days that should have been pulled by now are not complete."),
    Kind("stale", "An account's data, or what readers have of it, ends earlier than it should."),
    Kind("own-models", "Nothing new is published, since dbt cannot build models of your own."),
    Kind("rejected", "Records came that could not be filed, and no replay has filed them."),
    Kind("unmapped", "Readers see leads whose status or stage has no canonical stage."),
    Kind("doubtful", "Far less came than ever before, so the crawl or search proves nothing."),
    Kind("missing-account", "A declared account lacks credentials, or none is declared."),
    Kind("unfinished", "A crawl has not come to its end, and no process continues it."),
)
"""All kinds; a name never changes, for `--fail-on` and alerts rely on it."""
