"""What a build says of itself to catalogs and contract tools, beside the file.

    bi/leads.duckdb (tables, types, texts) ─┐
    manifest.json (YAML of the dbt project) ├──▶ contract.odcs.yaml, manifest.json, catalog.json,
    run_results.json (of this build)       ─┘    run_results.json ──▶ bi/catalog/

What stands in the file is read from the file, and everything else from dbt's YAML, so a model that is
added is covered by itself. Belongs here: the four files and what must not stand in them. Does not
belong here: where they lie and who sees them (`storage/catalogs.py`).
"""
