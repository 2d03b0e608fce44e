"""Several accounts of one provider: each on its own, whatever happens to the others."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from lead_pipeline.accounts import Accounts, load_accounts
from lead_pipeline.errors import AccessRefused
from lead_pipeline.sandbox import Sandbox, World
from lead_pipeline.sandbox.tenants import MEGA_CUSTOMER_ID, MEGA_TOKEN
from lead_pipeline.settings import Settings
from lead_pipeline_tests.pulling import (
    at,
    commits,
    days,
    landed_ids,
    loaded_leads,
    pull,
    put_leads,
    settings_in,
    stored_states,
)


@pytest.fixture
def other_sandbox() -> Iterator[Sandbox]:
    """A second company's APIs."""
    with Sandbox(World.empty(), limits=False) as running:
        yield running


@pytest.fixture
def settings(tmp_path: Path, home: Path, sandbox: Sandbox, other_sandbox: Sandbox) -> Settings:
    """Three accounts of MEGA: two that work, between them one with a revoked key."""
    put_leads(sandbox, "mega", 30, at(2))
    put_leads(other_sandbox, "mega", 40, at(2))
    path = tmp_path / "accounts.toml"
    path.write_text(
        "\n".join(
            f'[[accounts]]\nname = "{name}"\nprovider = "mega"\ntoken = "{token}"\n'
            f'customer_id = "{MEGA_CUSTOMER_ID}"\nbase_url = "{server.mega.url}"\n'
            for name, token, server in (
                ("north", MEGA_TOKEN, sandbox),
                ("revoked", f"mega_{'0' * 64}", sandbox),
                ("south", MEGA_TOKEN, other_sandbox),
            )
        )
    )
    return settings_in(home, accounts=path)


@pytest.fixture
def loaded(settings: Settings) -> Accounts:
    """The accounts of the file."""
    return load_accounts(settings)


def pull_every_account(settings: Settings, loaded: Accounts) -> dict[str, str]:
    """Pull each account, continuing after errors; returns the errors by account."""
    failures = {}
    for account in loaded.usable:
        try:
            pull(settings, account, days(2))
        except AccessRefused as error:
            failures[account.name] = str(error)
    return failures


def test_one_that_fails_does_not_stop_the_others(settings: Settings, loaded: Accounts) -> None:
    failures = pull_every_account(settings, loaded)

    assert list(failures) == ["revoked"]
    assert (len(landed_ids(settings, "north")), len(landed_ids(settings, "south"))) == (30, 40)


def test_error_names_the_account_and_where_its_credentials_stand(
    settings: Settings, loaded: Accounts
) -> None:
    message = pull_every_account(settings, loaded)["revoked"]

    assert message.startswith(f"revoked/leads, window {days(2)}: GET ")
    assert "the credentials (token and customer_id) of the account are wrong" in message
    assert "mega_0" not in message


def test_leads_of_two_accounts_with_one_id_are_two_leads(
    settings: Settings, loaded: Accounts, sandbox: Sandbox, other_sandbox: Sandbox
) -> None:
    """Both companies' leads are numbered alike."""
    assert stored_states(sandbox, "mega").keys() < stored_states(other_sandbox, "mega").keys()
    pull_every_account(settings, loaded)

    assert len(loaded_leads(settings)) == 70


def test_each_account_has_files_and_records_of_its_own(
    settings: Settings, loaded: Accounts
) -> None:
    pull_every_account(settings, loaded)

    for name in ("north", "south"):
        record = commits(settings, name)[0]
        assert record.account == name
        assert all(file.path.startswith(f"{name}/leads/date=") for file in record.files)


def test_each_account_has_a_quota_of_its_own(settings: Settings, loaded: Accounts) -> None:
    pull_every_account(settings, loaded)

    assert (settings.landing_path / "north" / "_quota.json").exists()
    assert (settings.landing_path / "south" / "_quota.json").exists()


def test_each_account_has_a_lock_of_its_own(settings: Settings) -> None:
    assert settings.account_lock("north") != settings.account_lock("south")
