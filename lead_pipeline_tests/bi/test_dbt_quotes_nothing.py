"""What dbt writes of a model or test that fails on a value: everywhere, but without the value."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

NAME = "Ada O'Brien Lovelace"
PROGRAM = (
    "import sys; from dbt.cli.main import dbtRunner;"
    " from lead_pipeline.bi.parsed_dbt import quote_nothing;"
    " {prepare};"
    " dbtRunner().invoke(sys.argv[1:])"
)
FILES = {
    "dbt_project.yml": "name: tiny\nversion: '1.0'\nprofile: tiny\n",
    "profiles.yml": (
        "tiny:\n  target: here\n  outputs:\n    here:\n      type: duckdb\n      path: tiny.duckdb\n"
        "      threads: 1\n"
    ),
    "models/people.sql": "select * from read_csv('people.csv', all_varchar = true)",
    "models/cast.sql": "{{ config(materialized='table') }}select name::int as n from {{ ref('people') }}",
    "models/incremental.sql": (
        "{{ config(materialized='table', post_hook=\"select error(name) from {{ this }}\") }}"
        "select name from {{ ref('people') }}"
    ),
    "models/in_python.py": (
        "def model(dbt, session):\n    dbt.config(materialized='table')\n"
        "    rows = dbt.ref('people').fetchall()\n    return fail(rows)\n\n\n"
        "def fail(rows):\n    raise ValueError(rows)\n"
    ),
    # Of no model: dbt skips what comes after a test that has failed.
    "tests/converts.sql": (
        "select * from read_csv('people.csv', all_varchar = true) where name::date is null"
    ),
    "people.csv": f"name\n{NAME}\n",
}


def built(folder: Path, prepare: str) -> str:
    """All that dbt has written of a build of the little project: output, log, artifacts."""
    for name, text in FILES.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    ran = subprocess.run(  # noqa: S603 - this Python
        [sys.executable, "-c", PROGRAM.format(prepare=prepare), "build", "--log-level", "debug"],
        cwd=folder,
        env={
            **os.environ,
            "DBT_SEND_ANONYMOUS_USAGE_STATS": "false",
            "DBT_PROFILES_DIR": str(folder),
        },
        capture_output=True,
        text=True,
        check=False,
    )
    written = [path for name in ("logs", "target") for path in (folder / name).rglob("*")]
    texts = [path.read_bytes().decode("utf-8", "replace") for path in written if path.is_file()]
    assert len(texts) > 3
    return "\n".join([ran.stdout, ran.stderr, *texts])


@pytest.mark.timeout(300)
def test_models_and_tests_that_fail_on_a_value_do_not_print_it(tmp_path: Path) -> None:
    said = built(tmp_path, "quote_nothing()")
    assert "Lovelace" not in said
    # What helps is there.
    assert "a value cannot be converted to INT32" in said
    assert "InvalidInputException" in said
    assert "Python model failed" in said
    assert "in model" in said


@pytest.mark.timeout(300)
@pytest.mark.long
def test_dbt_alone_prints_it(tmp_path: Path) -> None:
    assert "Lovelace" in built(tmp_path, "pass")
