"""From landed files to the normalized tables in `warehouse.duckdb`.

    landing/*.parquet ──load.py──▶ lead_versions ──▶ leads, lead_stage_history ──▶ checks.py

    load.py              phases of a load, its transaction, when it is a rebuild
    declared_steps.py    the steps of each phase, in order; their SQL is sql/load/<phase>/
    steps.py             what a step is; step_runner.py runs it when what it reads is written
    given.py, ledger.py, drift.py, cleaning.py, stage_names.py     the Python of steps
    fingerprint.py       what the tables are made with

Belongs here: mapping, versions, stage history, checks and verification of these tables. Does not
belong here: figures that people report on (the dbt project), crawling (`landing/`), and how a
provider's fields map to columns (the provider's folder).
"""
