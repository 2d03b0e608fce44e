"""Why a lead shows what it shows: everything that was ever observed of it, from landing.

    a lead_key, lead id or email ──find──▶ leads ──evidence──▶ records, events, sightings, …
                       records ──the mapping of loading──▶ columns ──▶ what changed with each
    warehouse.duckdb (read briefly) ──▶ the lead's row and stage intervals ──▶ Explanation

Landing is the truth here; the warehouse only tells what it has made of it. Does not belong
here: printing (`commands/explain.py`). Nothing here logs: it is all somebody's personal data.
"""
