"""Reads with the command `duckdb` that is installed beside the Python that runs it."""

import subprocess
import sys
import time
from pathlib import Path

path, query, stop = sys.argv[1:]
command = Path(sys.executable).with_name("duckdb")
while True:
    subprocess.run(
        [command, "-readonly", "-noheader", "-list", "-separator", "\t", path, "-c", query],
        check=True,
        text=True,
    )
    if Path(stop).exists():
        break
    time.sleep(0.2)
