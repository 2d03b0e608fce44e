"""Accounts: from variables or from a file, what is missing, and what is refused."""

from __future__ import annotations

from pathlib import Path

import pytest

from lead_pipeline.accounts import Accounts, load_accounts
from lead_pipeline.errors import ConfigurationError
from lead_pipeline.settings import Settings
from lead_pipeline_tests.pulling import settings_in

SECRET = "eal_live_do_not_show_me"


def from_file(tmp_path: Path, text: str) -> Accounts:
    """The accounts of a TOML file with that text."""
    path = tmp_path / "accounts.toml"
    path.write_text(text, encoding="utf-8")
    return load_accounts(settings_in(tmp_path / "home", accounts=path))


def test_without_credentials_every_provider_is_missing(settings: Settings) -> None:
    accounts = load_accounts(settings)

    assert accounts.usable == ()
    assert [missing.name for missing in accounts.missing] == ["mega", "expert_ai_labs", "vorel"]


def test_missing_account_says_which_variables_to_set(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MEGA_TOKEN", "mega_0")
    missing = load_accounts(settings).missing[0]

    assert missing.reason == "set MEGA_CUSTOMER_ID in the environment or in .env."


def test_account_from_variables_is_named_after_its_provider(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("VOREL_API_KEY", "vapk_test_0")
    account = load_accounts(settings).named("vorel")

    assert (account.provider, account.base_url) == ("vorel", "https://app.vorel.ai")


def test_credentials_may_stand_in_dot_env(settings: Settings, tmp_path: Path) -> None:
    (tmp_path / ".env").write_text("VOREL_API_KEY=vapk_test_0\n")

    assert load_accounts(settings).named("vorel").credentials == {"api_key": "vapk_test_0"}


def test_environment_wins_over_dot_env(
    settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / ".env").write_text("VOREL_API_KEY=vapk_test_0\n")
    monkeypatch.setenv("VOREL_API_KEY", "vapk_test_1")

    assert load_accounts(settings).named("vorel").credentials == {"api_key": "vapk_test_1"}


@pytest.mark.parametrize("blank", ["", "  ", "\t"])
def test_blank_credential_is_a_missing_one(
    blank: str, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("VOREL_API_KEY", blank)

    assert "vorel" in [missing.name for missing in load_accounts(settings).missing]


def test_blanks_around_a_credential_are_not_part_of_it(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("VOREL_API_KEY", " vapk_test_0\n")

    assert load_accounts(settings).named("vorel").credentials == {"api_key": "vapk_test_0"}


@pytest.mark.parametrize("value", ["two words", "line\nbreak", "kéy", "nul\x7f"])
def test_credential_that_no_header_takes_is_refused_without_showing_it(
    value: str, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("VOREL_API_KEY", value)

    with pytest.raises(ConfigurationError) as failure:
        load_accounts(settings)

    assert str(failure.value).startswith("VOREL_API_KEY holds characters that cannot be sent")
    assert value not in str(failure.value)


def test_secrets_do_not_show_in_an_accounts_repr(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("EXPERT_AI_LABS_API_KEY", SECRET)

    assert SECRET not in repr(load_accounts(settings))


@pytest.mark.parametrize(
    "url",
    [
        "https://app.vorel.ai",
        "https://app.vorel.ai/",
        "http://localhost:8080",
        "http://127.0.0.1:8080",
        "http://[::1]:8080",
    ],
)
def test_origin_is_taken(url: str, settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VOREL_API_KEY", "vapk_test_0")
    monkeypatch.setenv("VOREL_BASE_URL", url)

    assert load_accounts(settings).named("vorel").base_url == url.rstrip("/")


@pytest.mark.parametrize(
    ("url", "reason"),
    [
        ("http://app.vorel.ai", "plain http"),
        ("http://127.0.0.1.evil.example", "plain http"),
        ("http://localhost@evil.example", "no user"),
        ("https://app.vorel.ai/api/v1", "without the path '/api/v1'"),
        ("https://app.vorel.ai?key=x", "no user, query or fragment"),
        ("ftp://app.vorel.ai", "must be an origin such as"),
        ("app.vorel.ai", "must be an origin such as"),
        ("https://", "must be an origin such as"),
        ("https://app.vorel.ai:99999", "must be an origin such as"),
        ("https://[::1", "must be an origin such as"),
    ],
)
def test_anything_but_a_safe_origin_is_refused(
    url: str, reason: str, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("VOREL_API_KEY", "vapk_test_0")
    monkeypatch.setenv("VOREL_BASE_URL", url)

    with pytest.raises(ConfigurationError, match=reason) as failure:
        load_accounts(settings)

    assert str(failure.value).startswith("VOREL_BASE_URL ")


def test_file_lists_several_accounts_of_one_provider(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MEGA_US_TOKEN", "mega_1")
    accounts = from_file(
        tmp_path,
        """
        [[accounts]]
        name = "mega_us"
        provider = "mega"
        token_env = "MEGA_US_TOKEN"
        customer_id = "c-us"
        requests_per_minute = 30
        [[accounts]]
        name = "mega_eu"
        provider = "mega"
        token = "mega_2"
        customer_id = "c-eu"
        base_url = "https://eu.gomega.ai"
        """,
    )

    assert [(a.name, a.credentials["token"], a.requests_per_minute) for a in accounts.usable] == [
        ("mega_us", "mega_1", 30),
        ("mega_eu", "mega_2", None),
    ]


def test_account_of_the_file_without_a_name_takes_that_of_its_provider(tmp_path: Path) -> None:
    accounts = from_file(tmp_path, '[[accounts]]\nprovider = "vorel"\napi_key = "vapk_0"')

    assert accounts.usable[0].name == "vorel"


def test_table_may_carry_the_name(tmp_path: Path) -> None:
    accounts = from_file(tmp_path, '[accounts.salon]\nprovider = "vorel"\napi_key = "vapk_0"')

    assert accounts.named("salon").provider == "vorel"


def test_file_with_a_variable_that_is_not_set_leaves_out_that_account_only(tmp_path: Path) -> None:
    accounts = from_file(
        tmp_path,
        """
        [[accounts]]
        provider = "vorel"
        api_key_env = "SALON_KEY"
        [[accounts]]
        provider = "expert_ai_labs"
        api_key = "eal_test_0"
        """,
    )

    assert [account.name for account in accounts.usable] == ["expert_ai_labs"]
    assert accounts.missing[0].reason.startswith("set the variable SALON_KEY")


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ('[[accounts]]\nprovider = "hubspot"', "`provider` must be one of mega, expert_ai_labs"),
        ("[[accounts]]\nprovider = []", "`provider` must be one of"),
        ('[[accounts]]\nprovider = "vorel"\nname = "Salon"', "`name` must be a slug"),
        ('[[accounts]]\nprovider = "vorel"\nname = "../salon"', "`name` must be a slug"),
        ('[[accounts]]\nprovider = "vorel"\nname = 7', "`name` must be a slug"),
        ('[[accounts]]\nprovider = "vorel"\napikey = "x"', "unknown key 'apikey'"),
        (
            '[[accounts]]\nprovider = "vorel"\napi_key = "x"\nrequests_per_minute = 0',
            "must be a whole number from 1 on",
        ),
        (
            '[[accounts]]\nprovider = "vorel"\napi_key = "x"\nrequests_per_minute = true',
            "must be a whole number from 1 on",
        ),
        (
            '[[accounts]]\nprovider = "vorel"\napi_key = "x"\n'
            '[[accounts]]\nprovider = "vorel"\napi_key = "y"',
            "account 2: the name 'vorel' is taken",
        ),
        ('accounts = "vorel"', r"write each account as a table \[\[accounts\]\]"),
        ("[[accounts]", "is not valid TOML"),
    ],
)
def test_mistake_in_the_file_is_told_with_its_place(text: str, reason: str, tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match=reason) as failure:
        from_file(tmp_path, text)

    assert "accounts.toml" in str(failure.value)


def test_broken_file_does_not_show_its_secrets(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError) as failure:
        from_file(tmp_path, f'[[accounts]]\nprovider = "vorel"\napi_key = {SECRET}')

    assert SECRET not in str(failure.value)


def test_file_that_is_not_there_is_told_by_its_path(tmp_path: Path) -> None:
    settings = settings_in(tmp_path / "home", accounts=tmp_path / "nowhere.toml")

    with pytest.raises(ConfigurationError, match=r"LEAD_PIPELINE_ACCOUNTS names .*nowhere\.toml"):
        load_accounts(settings)


def test_file_without_accounts_has_none(tmp_path: Path) -> None:
    assert from_file(tmp_path, "") == Accounts((), ())


def test_unknown_name_is_told_with_the_names_there_are(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("VOREL_API_KEY", "vapk_test_0")

    with pytest.raises(ConfigurationError, match=r"no account 'salon'.*: vorel\."):
        load_accounts(settings).named("salon")


def test_name_of_a_missing_account_is_told_with_the_remedy(settings: Settings) -> None:
    with pytest.raises(ConfigurationError, match="vorel cannot be used: set VOREL_API_KEY"):
        load_accounts(settings).named("vorel")
