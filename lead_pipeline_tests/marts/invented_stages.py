"""The stage mapping of invented worlds, with rows of its own for order and terminal flag.

Belongs here: which provider stages there are, and what the mapping says of each. Does not belong
here: leads (`invented_leads`), and how a mapping is read from a file.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import astuple

import pandas as pd

from lead_pipeline.normalized.canonical_stages import CANONICAL_STAGES
from lead_pipeline_tests.marts.invented_leads import ACCOUNTS, InventedLead

STAGES = {
    "new": ("new",),
    "engaged": ("contacted", "follow_up"),
    "qualified": ("qualified", "proposal"),
    "booked": ("appointment",),
    "won": ("won",),
    "lost": ("lost",),
    "nurture": ("nurture",),
    "archived": ("archived",),
    "unmapped": ("???",),
}
USUAL = {
    "new": (1, False),
    "engaged": (2, False),
    "qualified": (3, False),
    "booked": (4, False),
    "won": (5, True),
    "lost": (6, True),
    "nurture": (7, False),
    "archived": (8, True),
    "unmapped": (9, False),
}
"""Order and terminal flag where no row says otherwise."""
OF_PROVIDERS = {
    ("mega", "proposal"): (4, False),
    ("expert_ai_labs", "archived"): (0, False),
}
OF_ACCOUNTS = {
    ("vorel_eu", "nurture"): (7, True),
    ("mega_quiet", "new"): (6, False),
}
"""Order and terminal flag of single rows; those of an account win."""


def said_of(account: str, stage: str, provider_stage: str) -> tuple[int, bool]:
    """Order and terminal flag of the row that counts."""
    of_provider = OF_PROVIDERS.get((ACCOUNTS[account], provider_stage), USUAL[stage])
    return OF_ACCOUNTS.get((account, provider_stage), of_provider)


def mapping_rows() -> list[dict[str, object]]:
    """Rows of `normalized.stages`."""
    values = [(stage, value) for stage, names in STAGES.items() for value in names]
    rows: list[tuple[object, ...]] = [
        (None, provider, value, stage, *OF_PROVIDERS.get((provider, value), USUAL[stage]))
        for provider in sorted(set(ACCOUNTS.values()))
        for stage, value in values
        if stage != "unmapped"
    ]
    rows += [
        (account, ACCOUNTS[account], value, stage, *said)
        for (account, value), said in OF_ACCOUNTS.items()
        for stage, other in values
        if other == value
    ]
    names = ("account", "provider", "value", "stage", "stage_order", "is_terminal")
    return [{"field": "stage", **dict(zip(names, row, strict=True))} for row in rows]


def mapped_rows(leads: Iterable[InventedLead]) -> list[dict[str, object]]:
    """Rows of `normalized.mapped_stages`: one for each pair that the leads show."""
    pairs = {
        (lead.account, step.provider_status, step.provider_stage, step.stage)
        for lead in leads
        for step in lead.steps
    }
    names = ("account", "provider_status", "provider_stage", "stage")
    rows: list[dict[str, object]] = []
    for pair in sorted(pairs, key=str):
        order, is_terminal = said_of(pair[0], pair[3], pair[2])
        row = dict(zip(names, pair, strict=True))
        rows.append(
            {
                "provider": ACCOUNTS[pair[0]],
                **row,
                "stage_order": order,
                "is_terminal": is_terminal,
            }
        )
    return rows


def canonical_rows() -> pd.DataFrame:
    """Rows of `normalized.canonical_stages`, in the order of its columns."""
    names = ("stage", "stage_order", "is_terminal", "is_on_path", "colour", "dark_colour")
    rows = [dict(zip(names, astuple(row), strict=True)) for row in CANONICAL_STAGES.values()]
    return pd.DataFrame(rows)
