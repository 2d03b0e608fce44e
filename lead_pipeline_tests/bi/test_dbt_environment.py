"""What dbt gets to see of the shell that the pipeline runs in."""

from __future__ import annotations

import subprocess
import sys
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


@pytest.mark.parametrize(
    "name",
    ["DBT_ENV_SECRET_TOKEN", "DBT_ENV_CUSTOM_ENV_REGION", "PATH", "HOME", "LANG", "REGION", "PWD"],
)
def test_variables_that_ones_own_models_read_stay(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(name, "here")
    assert dbt_environment(tmp_path)[name] == "here"


def test_settings_that_models_read_reach_dbt_from_the_file_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    tmp_path.joinpath(".env").write_text(
        "LEAD_PIPELINE_VALUE_FIELD=deal_value\nLEAD_PIPELINE_LOSS_REASON_FIELD=why\n"
    )
    monkeypatch.setenv("LEAD_PIPELINE_LOSS_REASON_FIELD", "lost because")
    environment = dbt_environment(tmp_path)
    assert environment["LEAD_PIPELINE_VALUE_FIELD"] == "deal_value"
    assert environment["LEAD_PIPELINE_LOSS_REASON_FIELD"] == "lost because"


@pytest.mark.parametrize(
    "name",
    [
        "MEGA_TOKEN",
        "EXPERT_AI_LABS_API_KEY",
        "VOREL_API_KEY",
        "LEAD_PIPELINE_MASKING_KEY",
        "LEAD_PIPELINE_ERASURE_KEY",
        "LEAD_PIPELINE_ALERT_WEBHOOK",
        "LEAD_PIPELINE_HEARTBEAT_URL",
        "LEAD_PIPELINE_SMTP_URL",
        "CELERY_BROKER_URL",
        "LEAD_PIPELINE_LAKE",
        "LEAD_PIPELINE_DATABASE",
        "POSTGRES_PASSWORD",
        "PGPASSWORD",
        "AWS_SECRET_ACCESS_KEY",
        "AWS_ACCESS_KEY_ID",
        "DAGSTER_PG_DSN",
        "GITHUB_TOKEN",
    ],
)
def test_no_secret_reaches_dbt(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(name, "s3cret-value")
    assert "s3cret-value" not in dbt_environment(tmp_path).values()


def test_key_of_an_account_does_not_reach_dbt_whatever_its_variable_is_called(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "accounts.toml"
    file.write_text(
        '[[accounts]]\nname = "sales"\nprovider = "vorel"\napi_key_env = "SALES_ACCESS"\n'
    )
    monkeypatch.setenv("LEAD_PIPELINE_ACCOUNTS", str(file))
    monkeypatch.setenv("SALES_ACCESS", "s3cret-value")
    assert "s3cret-value" not in dbt_environment(tmp_path).values()


def test_dbt_itself_sees_no_secret(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MEGA_TOKEN", "s3cret-value")
    seen = subprocess.run(
        [sys.executable, "-c", "import os; print(dict(os.environ))"],
        env=dbt_environment(tmp_path),
        capture_output=True,
        text=True,
        check=True,
    )
    assert "PATH" in seen.stdout
    assert "s3cret-value" not in seen.stdout


def test_artifacts_go_where_the_pipeline_says_whatever_the_shell_says(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DBT_TARGET_PATH", "/somewhere/else")
    assert dbt_environment(tmp_path)["DBT_TARGET_PATH"] == str(tmp_path)
