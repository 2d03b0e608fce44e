"""Run all benchmarks and print their tables: `python -m benchmarks [NAME]`."""

from __future__ import annotations

import sys

from benchmarks import accounts, crawling, loading, truth

BENCHMARKS = {
    "accounts": accounts.main,
    "crawling": crawling.main,
    "loading": loading.main,
    "truth": truth.main,
}


def main() -> None:
    """Run the named benchmarks, all without a name."""
    for name in sys.argv[1:] or list(BENCHMARKS):
        BENCHMARKS[name]()


if __name__ == "__main__":
    main()
