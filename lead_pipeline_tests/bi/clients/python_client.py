"""Reads with the `duckdb` package of the Python that runs it."""

import sys
import time
from pathlib import Path

import duckdb

path, query, stop = sys.argv[1:]
while True:
    connection = duckdb.connect(path, read_only=True)
    [(answer,)] = connection.execute(query).fetchall()
    print(answer, flush=True)
    connection.close()
    if Path(stop).exists():
        break
    time.sleep(0.05)
