"""Run benchmarks and print their tables: `python -m benchmarks [NAME]`.

Without a name all but those that take a good part of an hour.
"""

from __future__ import annotations

import sys

from benchmarks import accounts, counted, crawling, loading, team, truth, year

BENCHMARKS = {
    "accounts": accounts.main,
    "counted": counted.main,
    "crawling": crawling.main,
    "loading": loading.main,
    "team": team.main,
    "truth": truth.main,
    "year": year.main,
}
LONG = ("team", "year")


def main() -> None:
    """Run the named benchmarks."""
    for name in sys.argv[1:] or [name for name in BENCHMARKS if name not in LONG]:
        BENCHMARKS[name]()


if __name__ == "__main__":
    main()
