"""Settings: what each variable takes, and what a wrong one is told."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest

from lead_pipeline.errors import ConfigurationError
from lead_pipeline.settings import load_settings


def test_without_variables_everything_has_its_documented_default() -> None:
    settings = load_settings()

    assert settings.home == Path.cwd() / "data"
    assert settings.start_date == date(2026, 1, 1)
    assert settings.accounts is None


@pytest.mark.parametrize(
    ("path", "below_home"),
    [
        ("landing_path", "landing"),
        ("warehouse_path", "warehouse.duckdb"),
        ("published_path", "bi/leads.duckdb"),
        ("dagster_home", "dagster"),
    ],
)
def test_files_lie_where_the_contract_says(
    path: str, below_home: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LEAD_PIPELINE_HOME", "/srv/leads")

    assert getattr(load_settings(), path) == Path("/srv/leads") / below_home


def test_home_is_absolute_so_that_a_change_of_folder_does_not_move_it(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("LEAD_PIPELINE_HOME", "leads")
    settings = load_settings()
    monkeypatch.chdir("/")

    assert settings.home == tmp_path / "leads"


@pytest.mark.parametrize("variable", ["LEAD_PIPELINE_HOME", "LEAD_PIPELINE_ACCOUNTS"])
def test_tilde_is_the_users_folder(variable: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", "/home/ada")
    monkeypatch.setenv(variable, "~/leads")
    settings = load_settings()

    assert Path("/home/ada/leads") in (settings.home, settings.accounts)


def test_dot_env_is_read(tmp_path: Path) -> None:
    (tmp_path / ".env").write_text("LEAD_PIPELINE_START_DATE=2026-02-03\nMEGA_TOKEN=x\n")

    assert load_settings().start_date == date(2026, 2, 3)


def test_environment_wins_over_dot_env(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / ".env").write_text("LEAD_PIPELINE_START_DATE=2026-02-03\n")
    monkeypatch.setenv("LEAD_PIPELINE_START_DATE", "2026-03-04")

    assert load_settings().start_date == date(2026, 3, 4)


def test_changed_variable_counts_from_the_next_call_on(monkeypatch: pytest.MonkeyPatch) -> None:
    load_settings()
    monkeypatch.setenv("LEAD_PIPELINE_OVERLAP_MINUTES", "90")

    assert load_settings().overlap == timedelta(minutes=90)


def test_empty_variable_is_as_good_as_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LEAD_PIPELINE_MASKING", "")

    assert load_settings().masking is None


@pytest.mark.parametrize(
    ("variable", "value"),
    [
        ("LEAD_PIPELINE_START_DATE", "yesterday"),
        ("LEAD_PIPELINE_START_DATE", f"{datetime.now(UTC).date() + timedelta(days=2)}"),
        ("LEAD_PIPELINE_OVERLAP_MINUTES", "-1"),
        ("LEAD_PIPELINE_MAX_WAIT_SECONDS", "0"),
        ("LEAD_PIPELINE_PHONE_REGION", "Atlantis"),
        ("LEAD_PIPELINE_KEPT_BUILDS", "-1"),
        ("LEAD_PIPELINE_MAX_SHRINKAGE_PERCENT", "101"),
        ("LEAD_PIPELINE_MASKING", "perhaps"),
    ],
)
def test_wrong_value_is_told_by_the_name_of_its_variable(
    variable: str, value: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(variable, value)

    with pytest.raises(ConfigurationError, match=f"Settings cannot be used: {variable}: "):
        load_settings()


def test_every_wrong_variable_is_named_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LEAD_PIPELINE_OVERLAP_MINUTES", "-1")
    monkeypatch.setenv("LEAD_PIPELINE_MAX_WAIT_SECONDS", "0")

    with pytest.raises(ConfigurationError, match=r"OVERLAP_MINUTES.*MAX_WAIT_SECONDS"):
        load_settings()


def test_dot_env_that_is_no_text_is_an_error_that_names_it(tmp_path: Path) -> None:
    (tmp_path / ".env").write_bytes(b"LEAD_PIPELINE_HOME=\xff\xfe\n")

    with pytest.raises(ConfigurationError, match=r"\.env is not UTF-8 text"):
        load_settings()


@pytest.mark.parametrize(
    ("masking", "key", "problem"),
    [
        ("true", "", "LEAD_PIPELINE_MASKING_KEY: is not set although .*openssl rand -hex 32"),
        ("true", "too short a secret", "LEAD_PIPELINE_MASKING_KEY: is too short.* 32 characters"),
        ("false", "too short a secret", "LEAD_PIPELINE_MASKING_KEY: is too short"),
        ("", "a key that nobody can guess, really", "set LEAD_PIPELINE_MASKING to true, or"),
    ],
)
def test_masking_that_would_not_mask_is_refused_without_showing_the_key(
    masking: str, key: str, problem: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LEAD_PIPELINE_MASKING", masking)
    monkeypatch.setenv("LEAD_PIPELINE_MASKING_KEY", key)

    with pytest.raises(ConfigurationError, match=problem) as refused:
        load_settings()
    assert not key or key not in str(refused.value)


def test_masking_key_is_not_shown_with_the_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LEAD_PIPELINE_MASKING", "true")
    monkeypatch.setenv("LEAD_PIPELINE_MASKING_KEY", "a key that nobody can guess, really")

    assert "nobody can guess" not in f"{load_settings()!r} {load_settings()}"
