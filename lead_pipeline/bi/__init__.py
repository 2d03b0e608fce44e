"""From the warehouse to the file that BI tools read.

    warehouse.duckdb ──candidate.py, masking.py──▶ candidate ──dbt──▶ gate.py ──publish.py──▶ bi/leads.duckdb

Belongs here: building, masking, testing, publishing, retained builds, rollback. Does not belong
here: the figures themselves (the dbt project), the page beside the file (`report/`).
"""
