"""From the warehouse to the file that BI tools read.

    warehouse.duckdb ──candidate.py, masking.py──▶ candidate ──dbt──▶ gate.py ──publish.py──▶ bi/leads.duckdb
                                                                                  retained_builds.py ◀──┘

Belongs here: building, masking, testing, publishing, earlier builds and the way back to them
(`retained_builds.py`, `rollback.py`), what a build says of itself beside the file (`catalog/`), what
people's own dbt needs (`snapshot.py`, `dbt_dev.py`). Does not
belong here: the figures themselves (the dbt project), dbt as Dagster assets (`orchestration/`), the
page beside the file (`report/`).
"""
