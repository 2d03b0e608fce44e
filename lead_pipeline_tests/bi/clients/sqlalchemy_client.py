"""Reads as Superset does: an engine per query, without a pool, read-only by `connect_args`."""

import sys
import time
from pathlib import Path

from sqlalchemy import create_engine, text
from sqlalchemy.pool import NullPool

path, query, stop = sys.argv[1:]
while True:
    engine = create_engine(
        f"duckdb:///{path}", connect_args={"read_only": True}, poolclass=NullPool
    )
    with engine.connect() as connection:
        # A colon begins a parameter.
        row = connection.execute(text(query.replace(":", "\\:"))).one()
    print(*row, sep="\t", flush=True)
    if Path(stop).exists():
        break
    time.sleep(0.2)
