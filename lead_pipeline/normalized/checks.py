"""What must hold of the normalized tables, looked at by every load.

Each check is a statement `sql/checks/<name>.sql` that returns the number of failures, some
examples (keys and names, never a lead's personal data), and how much it has looked at: a check of
nothing is not evaluated, which is not the same as passed. A load looks at the leads it has changed:
all others are as the load before left them; a rebuild changes all. Blocking are those whose
failure would mislead readers: nothing downstream is built then.

Belongs here: what only a load can see, such as files that it left out. Does not belong here: how
they are run (`check_runner.py`), since definitions tell of them and load nothing; what the tables say
by themselves, such as intervals that touch each other. That dbt tests, in the very file that readers get.
"""

from __future__ import annotations

from dataclasses import dataclass

NO_LEADS = "this load has changed no lead"
NO_FILES = "nothing is loaded"
DEFECT = "This is a defect of the pipeline: `lead-pipeline rebuild`, and report it."


@dataclass(frozen=True)
class Check:
    """One thing that must hold."""

    table: str
    name: str
    holds: str
    """What is true while it passes."""
    fails: str
    """What a failure is, in the plural, and what to do."""
    without: str = NO_LEADS
    """Why it had nothing to look at, where that is so."""
    is_blocking: bool = False
    """Whether readers would be misled, so that nothing downstream is built."""


@dataclass(frozen=True)
class CheckOutcome:
    """What a check found: `failures` is 0 when it passed, or had nothing to look at."""

    check: Check
    failures: int
    examples: tuple[str, ...] = ()
    looked_at: int = 0
    """Rows, files or accounts that it could judge."""

    @property
    def is_evaluated(self) -> bool:
        """Whether it knows anything: a check of nothing has not failed, and holds nothing."""
        return bool(self.looked_at or self.failures)

    @property
    def message(self) -> str | None:
        """What failed, with examples, and what to do; or why nothing is known. None: it passed."""
        if not self.is_evaluated:
            return f"not evaluated: {self.check.without}."
        if not self.failures:
            return None
        return f"{self.failures:,} {self.check.fails} First: {'; '.join(self.examples)}."


CHECKS = (
    Check(
        "lead_versions",
        "version_key_is_unique",
        "Each distinct observed state is one row.",
        f"states stand in more than one row. {DEFECT}",
        is_blocking=True,
    ),
    Check(
        "lead_versions",
        "every_landed_file_is_loaded",
        "Every crawl that has ended is loaded, with all of its files and rows.",
        f"crawls or files have landed and are not loaded as a whole. {DEFECT}",
        is_blocking=True,
        without="no crawl has ended since the load before",
    ),
    Check(
        "lead_versions",
        "no_version_is_newer_than_its_fetch",
        "No lead was changed after it was read (five minutes are left to differing clocks).",
        "versions say that they were changed after they were read, so they stay the newest until "
        "then. Tell the provider; `lead-pipeline explain` shows the records.",
    ),
    Check(
        "lead_versions",
        "contract_is_known",
        "Every field, type and enumerated value that has landed is one that the mapping knows.",
        "fields, types or values are served that no mapping knows (normalized.contract_drift). "
        "They are kept in the payload; map them, or add them to the provider's contract.csv.",
        without=NO_FILES,
    ),
    Check(
        "lead_versions",
        "times_are_usable",
        "Every time that has landed is one that a lead can have.",
        "fields show times that no lead can have (normalized.contract_drift). They are null in the "
        "tables, or bounded by when they were served; the payload keeps them. Tell the provider.",
        without=NO_FILES,
    ),
    Check(
        "leads",
        "lead_key_is_unique",
        "Each lead that has a version is one row.",
        f"leads stand in no row or in more than one. {DEFECT}",
        is_blocking=True,
    ),
    Check(
        "leads",
        "stages_are_mapped",
        "The stage mapping knows every status and stage that leads have.",
        "values have no canonical stage. Map them in stages.csv below LEAD_PIPELINE_HOME "
        "(docs/operations.md).",
        without="there are no leads",
    ),
    Check(
        "leads",
        "count_agrees_with_total",
        "There are as many leads as the provider counted when the last full crawl began.",
        "accounts have fewer leads than their provider counted. Leads deleted during the crawl "
        "explain a few; pull again with `lead-pipeline run --full`.",
        without="no full crawl was told how many leads there are (lead-pipeline run --full asks)",
    ),
    Check(
        "lead_stage_history",
        "audit_log_agrees_with_versions",
        "No version shows a stage that the audit log, where it has landed whole, does not.",
        "intervals were observed that the audit log does not show. Both are kept; evidence tells "
        "them apart.",
        without="no account's audit log has landed whole",
    ),
)
