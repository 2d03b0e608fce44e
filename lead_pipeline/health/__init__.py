"""Whether the pipeline is healthy: what is wrong now, since when, and what to do about it.

    landing ────────┐
    published file ─┼──▶ findings ──▶ status, --fail-on, alerts
    accounts ───────┘

Belongs here: judging what is there. Does not belong here: asking an API (`landing/check.py`),
printing (`commands/`), telling somebody.
"""
