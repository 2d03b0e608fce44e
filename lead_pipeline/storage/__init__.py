"""Where things are kept: atomic files, locks between processes, DuckDB files, SQL texts.

Belongs here: how something is stored safely, whatever it is (`files.py`, `locks.py`,
`duckdb_files.py`, `warehouse.py`, `sql.py`). Does not belong here: what a landed file, a table or a
build means.
"""
