"""Accounts: from variables or from a file, what is missing, and what is refused."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import pytest

from lead_pipeline.accounts import Accounts, UnusableAccount, load_accounts
from lead_pipeline.errors import ConfigurationError
from lead_pipeline.providers import PROVIDERS
from lead_pipeline.providers.base import Account
from lead_pipeline.settings import Settings
from lead_pipeline_tests.pulling import settings_in

SECRET = "eal_live_do_not_show_me"


def from_file(tmp_path: Path, text: str) -> Accounts:
    """The accounts of a TOML file with that text."""
    path = tmp_path / "accounts.toml"
    path.write_text(text, encoding="utf-8")
    return load_accounts(settings_in(tmp_path / "home", accounts=path))


def names(accounts: Sequence[Account | UnusableAccount]) -> list[str]:
    """The names of these accounts."""
    return [account.name for account in accounts]


def test_provider_of_which_nothing_is_set_is_left_out(settings: Settings) -> None:
    accounts = load_accounts(settings)

    assert (accounts.usable, accounts.incomplete, accounts.declared) == ((), (), ())
    assert names(accounts.left_out) == ["expert_ai_labs", "mega", "vorel"]


def test_left_out_provider_says_which_variables_to_set(settings: Settings) -> None:
    assert load_accounts(settings).left_out[1].reason == (
        "set MEGA_TOKEN and MEGA_CUSTOMER_ID in the environment or in .env."
    )


@pytest.mark.parametrize(
    ("variable", "value", "name", "to_set"),
    [
        ("MEGA_TOKEN", "mega_0", "mega", "MEGA_CUSTOMER_ID"),
        ("MEGA_CUSTOMER_ID", "8a0e", "mega", "MEGA_TOKEN"),
        ("MEGA_BASE_URL", "https://eu.gomega.ai", "mega", "MEGA_TOKEN and MEGA_CUSTOMER_ID"),
        ("VOREL_BASE_URL", "https://eu.vorel.ai", "vorel", "VOREL_API_KEY"),
    ],
)
def test_provider_of_which_only_a_part_is_set_is_declared_and_says_what_is_missing(
    variable: str,
    value: str,
    name: str,
    to_set: str,
    settings: Settings,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv(variable, value)
    accounts = load_accounts(settings)

    assert (names(accounts.usable), names(accounts.declared)) == ([], [name])
    assert accounts.incomplete[0].failure == (
        f"Account {name} cannot be used: set {to_set} in the environment or in .env."
    )


def test_part_of_a_provider_that_stands_in_dot_env_declares_it_too(
    settings: Settings, tmp_path: Path
) -> None:
    (tmp_path / ".env").write_text("MEGA_CUSTOMER_ID=8a0e\nMEGA_TOKEN=\nVOREL_API_KEY=\n")

    assert names(load_accounts(settings).declared) == ["mega"]


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
def test_blank_credential_is_one_that_is_not_set(
    blank: str, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("VOREL_API_KEY", blank)

    assert "vorel" in names(load_accounts(settings).left_out)


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


@pytest.mark.parametrize("blank", [None, "", "  "])
def test_account_of_the_file_whose_variable_is_not_set_is_declared_and_says_so(
    blank: str | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if blank is not None:
        monkeypatch.setenv("SALON_KEY", blank)
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

    assert names(accounts.usable) == ["expert_ai_labs"]
    assert names(accounts.incomplete) == ["vorel"]
    assert accounts.incomplete[0].reason.startswith("set the variable SALON_KEY")
    assert accounts.left_out == ()


def test_account_of_the_file_says_everything_that_it_lacks(tmp_path: Path) -> None:
    accounts = from_file(tmp_path, '[accounts.us]\nprovider = "mega"\ntoken_env = "US_TOKEN"')

    assert accounts.incomplete[0].reason == (
        "set the variable US_TOKEN and add `customer_id` or `customer_id_env` "
        f"({tmp_path / 'accounts.toml'}, account 1)."
    )


def test_choice_of_all_accounts_is_that_of_the_usable_ones(tmp_path: Path) -> None:
    accounts = from_file(
        tmp_path,
        '[accounts.salon]\nprovider = "vorel"\napi_key = "vapk_0"\n'
        '[accounts.agency]\nprovider = "vorel"\napi_key_env = "AGENCY_KEY"\n',
    )

    assert names(accounts.chosen(None)) == ["salon"]


def test_choice_without_a_usable_account_names_what_each_lacks(tmp_path: Path) -> None:
    accounts = from_file(
        tmp_path,
        '[accounts.salon]\nprovider = "vorel"\napi_key_env = "SALON_KEY"\n'
        '[accounts.agency]\nprovider = "vorel"\napi_key_env = "AGENCY_KEY"\n',
    )

    with pytest.raises(
        ConfigurationError,
        match=r"Account salon .* SALON_KEY .*\. Account agency .* AGENCY_KEY .*\.",
    ):
        accounts.chosen(None)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ('[[accounts]]\nprovider = "hubspot"', "`provider` must be one of expert_ai_labs, mega"),
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


def test_name_of_an_account_that_is_left_out_is_told_with_the_remedy(settings: Settings) -> None:
    with pytest.raises(ConfigurationError, match="vorel cannot be used: set VOREL_API_KEY"):
        load_accounts(settings).named("vorel")


# Options of a provider -----------------------------------------------------------------------


@pytest.fixture
def key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VOREL_API_KEY", "vapk_test_0")


def options_of(account: Account) -> Mapping[str, int | None]:
    return PROVIDERS[account.provider].options_of(account)


@pytest.mark.usefixtures("key")
def test_option_that_nobody_sets_has_its_default(settings: Settings) -> None:
    options = options_of(load_accounts(settings).named("vorel"))
    assert options == {"stale_for_days": 14, "horizon_days": None, "hourly_polls": 0}


@pytest.mark.usefixtures("key")
def test_option_is_a_variable_of_its_provider(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("VOREL_HORIZON_DAYS", "90")
    assert options_of(load_accounts(settings).named("vorel"))["horizon_days"] == 90


@pytest.mark.usefixtures("key")
def test_variable_of_an_earlier_release_counts_until_the_present_one_is_set(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LEAD_PIPELINE_STALE_FOR_DAYS", "30")
    before = options_of(load_accounts(settings).named("vorel"))["stale_for_days"]
    monkeypatch.setenv("VOREL_STALE_FOR_DAYS", "7")
    after = options_of(load_accounts(settings).named("vorel"))["stale_for_days"]
    assert (before, after) == (30, 7)


@pytest.mark.usefixtures("key")
@pytest.mark.parametrize("value", ["0", "366", "-1", "a week", "1.5", "1e2"])
def test_option_out_of_its_range_is_refused_by_its_variable(
    value: str, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("VOREL_STALE_FOR_DAYS", value)
    with pytest.raises(ConfigurationError) as failure:
        load_accounts(settings)
    assert str(failure.value).startswith(
        "VOREL_STALE_FOR_DAYS: must be a whole number from 1 to 365. Days without a message"
    )


def test_option_of_one_account_wins_over_the_variable(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("VOREL_HORIZON_DAYS", "90")
    text = """
        [[accounts]]
        name = "us"
        provider = "vorel"
        api_key = "vapk_0"
        horizon_days = 30

        [[accounts]]
        name = "eu"
        provider = "vorel"
        api_key = "vapk_1"
    """
    accounts = from_file(tmp_path, text)
    found = {name: options_of(accounts.named(name))["horizon_days"] for name in ("us", "eu")}
    assert found == {"us": 30, "eu": 90}


@pytest.mark.parametrize("value", ["true", '"soon"', "0"])
def test_option_of_the_file_out_of_its_range_is_told_with_its_place(
    value: str, tmp_path: Path
) -> None:
    text = f'[[accounts]]\nprovider = "vorel"\napi_key = "k"\nhorizon_days = {value}\n'
    with pytest.raises(ConfigurationError, match=r"account 1 \(vorel\): horizon_days: must be"):
        from_file(tmp_path, text)


def test_option_of_another_provider_is_an_unknown_key(tmp_path: Path) -> None:
    text = '[[accounts]]\nprovider = "mega"\ntoken = "t"\ncustomer_id = "c"\nhorizon_days = 3\n'
    with pytest.raises(ConfigurationError, match="unknown key 'horizon_days'"):
        from_file(tmp_path, text)


LEADS = "https://crm.example.com/leads/{lead_id}?tab=calls"


def test_page_of_a_lead_is_told_by_the_file_or_by_the_variable_of_the_provider(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("VOREL_LEAD_URL", "http://localhost:9000/{lead_id}")
    accounts = from_file(
        tmp_path,
        f'[accounts.salon]\nprovider = "vorel"\napi_key = "x"\nlead_url = "{LEADS}"\n'
        '[accounts.agency]\nprovider = "vorel"\napi_key = "y"\n'
        '[accounts.eal]\nprovider = "expert_ai_labs"\napi_key = "z"\n',
    )

    assert accounts.lead_urls == {"salon": LEADS, "agency": "http://localhost:9000/{lead_id}"}


def test_page_of_a_lead_is_told_by_the_variable_alone(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("VOREL_API_KEY", "x")
    monkeypatch.setenv("VOREL_LEAD_URL", LEADS)

    assert load_accounts(settings).lead_urls == {"vorel": LEADS}


@pytest.mark.parametrize(
    ("address", "reason"),
    [
        ("https://crm.example.com/leads", "with {lead_id} once"),
        ("https://crm.example.com/{lead_id}/{lead_id}", "with {lead_id} once"),
        ("https://crm.example.com/{lead_id}/{owner}", "with {lead_id} once"),
        ("https://{lead_id}.example.com/", "behind the host"),
        ("https://s3cret:s3cret@crm.example.com/{lead_id}", "no user or password"),
        ("http://crm.example.com/{lead_id}", "must begin with https"),
        ("javascript:alert('{lead_id}')", "must be a URL"),
        ("crm.example.com/{lead_id}", "must be a URL"),
    ],
)
def test_address_that_is_no_page_of_a_lead_is_refused_and_not_shown(
    address: str, reason: str, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("VOREL_API_KEY", "x")
    monkeypatch.setenv("VOREL_LEAD_URL", address)

    with pytest.raises(ConfigurationError, match=f"VOREL_LEAD_URL: .*{reason}") as failure:
        load_accounts(settings)

    assert "s3cret" not in str(failure.value)
