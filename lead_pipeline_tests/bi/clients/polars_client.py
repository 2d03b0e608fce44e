"""Reads into a polars data frame."""

import sys
import time
from pathlib import Path

import duckdb

path, query, stop = sys.argv[1:]
while True:
    with duckdb.connect(path, read_only=True) as connection:
        print(*connection.sql(query).pl().row(0), sep="\t", flush=True)
    if Path(stop).exists():
        break
    time.sleep(0.2)
