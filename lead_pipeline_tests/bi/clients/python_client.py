"""Reads with the `duckdb` package of the Python that runs it."""

import sys
import time
from pathlib import Path

import duckdb

path, query, stop = sys.argv[1:]
while True:
    connection = duckdb.connect(path, read_only=True)
    [row] = connection.execute(query).fetchall()
    print(*row, sep="\t", flush=True)
    connection.close()
    if Path(stop).exists():
        break
    time.sleep(0.2)
