"""Settings: what each variable takes, and what a wrong one is told."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from zoneinfo import available_timezones

import duckdb
import pytest

from lead_pipeline.addresses import SmtpServer
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
        ("LEAD_PIPELINE_RETAINED_BUILDS", "-1"),
        ("LEAD_PIPELINE_MAX_ROW_COUNT_DROP_PERCENT", "101"),
        ("LEAD_PIPELINE_MASKING", "perhaps"),
        ("LEAD_PIPELINE_OWNER", "the data team"),
        ("LEAD_PIPELINE_TIMEZONE", "Berlin"),
        ("LEAD_PIPELINE_TIMEZONE", "../UTC"),
        ("LEAD_PIPELINE_TIMEZONE", "localtime"),
        ("LEAD_PIPELINE_VALUE_FIELD", 'deal "value"'),
        ("LEAD_PIPELINE_LOSS_REASON_FIELD", "why' or 1"),
        ("LEAD_PIPELINE_WORKING_HOURS", "Mon-Fri 22:00-06:00"),
        ("LEAD_PIPELINE_HOLIDAYS", "DE-BE"),
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


@pytest.mark.parametrize(
    ("value", "names"),
    [("", "none"), ("false", "none"), ("Owners", "owners"), ("all", "all"), ("true", "all")],
)
def test_names_are_on_the_report_only_where_somebody_says_so(
    value: str, names: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LEAD_PIPELINE_REPORT_NAMES", value)

    assert load_settings().report_names == names


def test_names_of_a_masked_file_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LEAD_PIPELINE_MASKING", "true")
    monkeypatch.setenv("LEAD_PIPELINE_MASKING_KEY", "a key that nobody can guess, really")
    monkeypatch.setenv("LEAD_PIPELINE_REPORT_NAMES", "owners")

    with pytest.raises(
        ConfigurationError, match=r"REPORT_NAMES: must be none where LEAD_PIPELINE_MASKING"
    ):
        load_settings()


WEBHOOK = "https://hooks.example.com/services/T0/B0/s3cretpath"


@pytest.mark.parametrize("variable", ["LEAD_PIPELINE_ALERT_WEBHOOK", "LEAD_PIPELINE_HEARTBEAT_URL"])
@pytest.mark.parametrize(
    ("url", "problem"),
    [
        ("http://hooks.example.com/s3cretpath", "must begin with https://"),
        ("hooks.example.com/s3cretpath", "must be a URL such as"),
        ("ftp://hooks.example.com/s3cretpath", "must be a URL such as"),
        ("https:///s3cretpath", "must be a URL such as"),
        ("https://hooks.example.com:port/s3cretpath", "must be a URL such as"),
        ("https://hooks.example.com/a s3cretpath", "must be a URL such as"),
    ],
)
def test_url_by_which_others_could_read_along_is_refused_without_showing_it(
    variable: str, url: str, problem: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(variable, url)

    with pytest.raises(ConfigurationError, match=f"{variable}: {problem}") as refused:
        load_settings()
    assert "s3cretpath" not in str(refused.value)


@pytest.mark.parametrize("url", [WEBHOOK, "http://127.0.0.1:8125/s3cretpath"])
def test_url_of_alerts_is_a_secret(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LEAD_PIPELINE_ALERT_WEBHOOK", url)
    monkeypatch.setenv("LEAD_PIPELINE_HEARTBEAT_URL", url)
    settings = load_settings()

    assert settings.alert_webhook is not None
    assert settings.alert_webhook.get_secret_value() == url
    assert "s3cretpath" not in f"{settings!r} {settings}"


def test_alerts_go_to_each_address_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(
        "LEAD_PIPELINE_ALERT_EMAIL", "ops@example.com; lead@example.com,ops@example.com"
    )
    monkeypatch.setenv("LEAD_PIPELINE_SMTP_URL", "smtp://127.0.0.1:2525")

    assert load_settings().alert_recipients == ("ops@example.com", "lead@example.com")


@pytest.mark.parametrize("text", ["ops", "ops@", "@example.com", "ops@example.com, nobody", ","])
def test_what_is_no_address_is_refused_without_showing_it(
    text: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LEAD_PIPELINE_ALERT_EMAIL", text)
    monkeypatch.setenv("LEAD_PIPELINE_SMTP_URL", "smtp://127.0.0.1:2525")

    with pytest.raises(ConfigurationError, match="LEAD_PIPELINE_ALERT_EMAIL: must be e-mail"):
        load_settings()


def test_sender_is_one_address(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LEAD_PIPELINE_ALERT_SENDER", "a@example.com, b@example.com")

    with pytest.raises(ConfigurationError, match="LEAD_PIPELINE_ALERT_SENDER: must be one"):
        load_settings()


def test_address_without_a_server_that_takes_mail_is_refused(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("LEAD_PIPELINE_ALERT_EMAIL", "ops@example.com")

    with pytest.raises(ConfigurationError, match="LEAD_PIPELINE_SMTP_URL: is not set although"):
        load_settings()


@pytest.mark.parametrize(
    ("url", "server"),
    [
        (
            "smtp://mail.example.com",
            SmtpServer("mail.example.com", 587, is_encrypted=False),
        ),
        (
            "smtps://ops%40example.com:a%2Fb%3Ac@mail.example.com",
            SmtpServer(
                "mail.example.com",
                465,
                is_encrypted=True,
                user="ops@example.com",
                password="a/b:c",
            ),
        ),
        ("smtp://127.0.0.1:2525", SmtpServer("127.0.0.1", 2525, is_encrypted=False)),
    ],
)
def test_server_for_mail_is_read_from_one_url(
    url: str, server: SmtpServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LEAD_PIPELINE_SMTP_URL", url)

    assert load_settings().smtp_server == server


@pytest.mark.parametrize(
    "url", ["mail.example.com", "https://ops:s3cret@mail.example.com", "smtp://ops:s3cret/x@host"]
)
def test_server_for_mail_that_is_none_is_refused_without_showing_it(
    url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LEAD_PIPELINE_SMTP_URL", url)

    with pytest.raises(ConfigurationError, match="SMTP_URL: must be smtp://user:pass") as refused:
        load_settings()
    assert "s3cret" not in str(refused.value)


def test_password_of_the_mail_server_is_not_shown_with_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LEAD_PIPELINE_SMTP_URL", "smtp://ops:s3cret@mail.example.com")
    settings = load_settings()

    assert "s3cret" not in f"{settings!r} {settings.smtp_server!r}"


def test_a_variable_of_an_earlier_release_counts_until_that_of_today_is_set(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("LEAD_PIPELINE_KEPT_BUILDS", "7")
    monkeypatch.setenv("LEAD_PIPELINE_MAX_SHRINKAGE_PERCENT", "5")
    settings = load_settings()
    assert (settings.retained_builds, settings.max_row_count_drop_percent) == (7, 5)
    monkeypatch.setenv("LEAD_PIPELINE_RETAINED_BUILDS", "1")
    assert load_settings().retained_builds == 1


def test_every_time_zone_that_is_taken_is_one_that_duckdb_knows(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    known = {name for (name,) in duckdb.sql("select name from pg_timezone_names()").fetchall()}

    assert available_timezones() - {"localtime"} <= known
    for zone in ("Europe/Berlin", "America/New_York", "Australia/Lord_Howe"):
        monkeypatch.setenv("LEAD_PIPELINE_TIMEZONE", zone)
        assert load_settings().timezone == zone


def test_days_are_those_of_utc_where_no_zone_is_set() -> None:
    assert load_settings().timezone == "UTC"


def test_working_hours_and_holidays_are_kept_in_one_form(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LEAD_PIPELINE_WORKING_HOURS", "mon - fri 9:00-17:30,Sat 10:00 - 14:00")
    monkeypatch.setenv("LEAD_PIPELINE_HOLIDAYS", "de-be")
    settings = load_settings()

    assert settings.working_hours == "Mon-Fri 09:00-17:30, Sat 10:00-14:00"
    assert settings.holidays == "DE-BE"


def test_holidays_of_no_working_hours_are_an_error_that_says_so(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("LEAD_PIPELINE_HOLIDAYS", "DE")

    with pytest.raises(ConfigurationError, match=r"although LEAD_PIPELINE_WORKING_HOURS is not"):
        load_settings()


def test_no_working_hours_are_assumed() -> None:
    settings = load_settings()

    assert (settings.working_hours, settings.holidays) == (None, None)


@pytest.mark.parametrize(
    "url",
    [
        "ftp://bi.example.com",
        "bi.example.com/leads",
        "https://user:password@bi.example.com",
        "https://bi.example.com/?token=secret-token",
    ],
)
def test_address_of_the_folder_that_readers_open_is_refused_where_it_could_hold_a_secret(
    url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LEAD_PIPELINE_BI_URL", url)
    with pytest.raises(ConfigurationError, match="LEAD_PIPELINE_BI_URL: must be a URL") as caught:
        load_settings()
    assert url not in str(caught.value)


def test_address_of_the_folder_that_readers_open_may_be_plain_inside_of_a_network(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("LEAD_PIPELINE_BI_URL", "http://bi.internal/leads/")
    assert load_settings().bi_url == "http://bi.internal/leads/"
