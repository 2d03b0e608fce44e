"""What dbt gets to see of the shell that the pipeline runs in."""

from __future__ import annotations

from pathlib import Path

import pytest

from lead_pipeline.bi.dbt_project import dbt_environment


@pytest.mark.parametrize(
    "name",
    [
        "DBT_EMPTY",
        "DBT_WARN_ERROR",
        "DBT_EXCLUDE",
        "DBT_TARGET",
        "DBT_FULL_REFRESH",
        "DBT_ENGINE_X",
    ],
)
def test_dbts_variables_of_another_project_do_not_reach_the_build(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(name, "true")
    assert name not in dbt_environment(tmp_path)


@pytest.mark.parametrize("name", ["DBT_ENV_SECRET_TOKEN", "DBT_ENV_CUSTOM_ENV_REGION", "PATH"])
def test_variables_that_ones_own_models_read_stay(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(name, "here")
    assert dbt_environment(tmp_path)[name] == "here"


def test_artifacts_go_where_the_pipeline_says_whatever_the_shell_says(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DBT_TARGET_PATH", "/somewhere/else")
    assert dbt_environment(tmp_path)["DBT_TARGET_PATH"] == str(tmp_path)
