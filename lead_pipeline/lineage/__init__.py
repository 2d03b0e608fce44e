"""Telling a lineage server what runs and what it reads and writes, as OpenLineage events.

    landing, load, dbt, publication ──START, COMPLETE or FAIL──▶ LEAD_PIPELINE_OPENLINEAGE_URL

Nothing is sent where no server is set, and a server that does not answer costs a run some seconds and
nothing else. Events hold names of accounts, tables and columns: no rows, secrets, messages or paths. Belongs
here: events and their sending. Does not belong here: what jobs there are (`orchestration/`).
"""
