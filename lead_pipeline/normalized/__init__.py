"""From landed files to the normalized tables in `warehouse.duckdb`.

    landing/*.parquet ──load.py──▶ lead_versions ──▶ leads, lead_stage_history ──▶ checks.py

Belongs here: mapping, versions, stage history, checks and verification of these tables. Does not
belong here: figures that people report on (the dbt project), crawling (`landing/`).
"""
