"""Reads into a pandas data frame."""

import sys
import time
from pathlib import Path

import duckdb

path, query, stop = sys.argv[1:]
while True:
    with duckdb.connect(path, read_only=True) as connection:
        frame = connection.sql(query).df()
    print(*(frame[column].iat[0] for column in frame), sep="\t", flush=True)
    if Path(stop).exists():
        break
    time.sleep(0.2)
