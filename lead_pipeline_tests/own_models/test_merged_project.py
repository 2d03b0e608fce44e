"""Own models in our project: what takes the place of what, and that nothing disturbs a build."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest
import yaml

from lead_pipeline.bi import merged_project
from lead_pipeline.bi.dbt_project import DbtProject, ours, project_variable
from lead_pipeline.bi.merged_project import KEPT_SECONDS, project_of, project_to_try
from lead_pipeline.errors import ConfigurationError
from lead_pipeline_tests.own_models.folders import home_with


def texts_of(project: DbtProject) -> dict[str, str]:
    """Every file of the project's folder, by path."""
    return {
        path.relative_to(project.folder).as_posix(): path.read_text()
        for path in sorted(project.folder.rglob("*"))
        if path.is_file() and "target" not in path.relative_to(project.folder).parts
    }


@pytest.mark.parametrize("files", [{}, {"README.md": "# Ours"}, {"models/.draft.sql": "select"}])
def test_without_own_models_the_project_is_ours_and_nothing_is_written(
    tmp_path: Path, files: dict[str, str]
) -> None:
    assert project_of(home_with(tmp_path, files)) == ours()
    assert not (tmp_path / ".dbt").exists()


def test_own_files_are_beside_all_of_ours(tmp_path: Path) -> None:
    files = {
        "models/deals/won_deals.sql": "select 1 as one",
        "seeds/regions.csv": "region\nnorth\n",
        "macros/mine.sql": "{% macro mine() %}1{% endmacro %}",
        "tests/none.sql": "select 1 where false",
        "tests/generic/mine.sql": "{% test mine(model) %}select 1 where false{% endtest %}",
    }
    texts = texts_of(project_of(home_with(tmp_path, files)))
    own = {"models/own/deals/won_deals.sql", "seeds/own/regions.csv", "macros/own/mine.sql"}
    own |= {"own_tests/none.sql", "own_tests/generic/mine.sql"}
    assert own <= texts.keys()
    assert texts.keys() - own >= {"models/marts/leads.sql", "models/marts/leads.yml"}


@pytest.mark.parametrize(
    ("path", "ours_at"),
    [
        ("models/stages.sql", "models/marts/stages.sql"),
        ("models/anywhere/stages.py", "models/marts/stages.sql"),
        ("seeds/stage_limits.csv", "seeds/stage_limits.csv"),
        ("tests/stage_limits_are_lengths.sql", "tests/stage_limits_are_lengths.sql"),
    ],
)
def test_file_of_the_same_name_takes_the_place_of_ours(
    tmp_path: Path, path: str, ours_at: str
) -> None:
    assert ours_at in texts_of(ours())
    assert ours_at not in texts_of(project_of(home_with(tmp_path, {path: "mine"})))


def test_macro_of_the_same_name_takes_the_place_of_ours_and_of_no_other_in_its_file(
    tmp_path: Path,
) -> None:
    files = {"macros/mine.sql": "{% macro reached(stages) %}1{% endmacro %}"}
    text = texts_of(project_of(home_with(tmp_path, files)))["macros/reached.sql"]
    assert "macro reached(" not in text
    assert "macro reached_rates(" in text


def config_of(project: DbtProject, *path: str) -> dict[str, object]:
    config = yaml.safe_load((project.folder / "dbt_project.yml").read_text())
    for name in ("models", "lead_pipeline", "own", *path):
        config = config[name]
    return dict(config)


def test_own_models_are_published_tables_without_a_contract(tmp_path: Path) -> None:
    config = config_of(project_of(home_with(tmp_path, {"models/x.sql": "select 1 as one"})))
    assert (config["+schema"], config["+materialized"]) == ("marts", "table")
    assert config["+contract"] == {"enforced": False}


def test_model_in_place_of_ours_is_where_ours_was_and_keeps_its_columns(tmp_path: Path) -> None:
    files = {"models/mine/int_lead_owners.sql": "select 1", "models/stages.sql": "select 1"}
    project = project_of(home_with(tmp_path, files))
    view = config_of(project, "mine", "int_lead_owners")
    assert (view["+schema"], view["+materialized"]) == ("intermediate", "view")
    assert "'place': 'bigint'" in str(config_of(project, "stages")["+post-hook"])


def test_what_ours_says_of_a_model_counts_unless_own_yaml_says_something(tmp_path: Path) -> None:
    model = {"models/stages.sql": "select 1"}
    silent = texts_of(project_of(home_with(tmp_path, model)))
    assert "name: stages" in silent["models/marts/stages.yml"]
    told = {"models/stages.yml": "models:\n  - name: stages\n    description: Mine.\n"}
    texts = texts_of(project_of(home_with(tmp_path, told)))
    assert "name: stages" not in texts["models/marts/stages.yml"]
    assert texts["models/own/stages.yml"] == told["models/stages.yml"]


def test_own_variables_win_over_ours_and_the_others_stay(tmp_path: Path) -> None:
    files = {"vars.yml": "vars:\n  stale_after_days: 3\n  my_target: 100\n"}
    project = project_of(home_with(tmp_path, files))
    assert [project_variable(n, project) for n in ("stale_after_days", "my_target")] == [3, 100]
    for name in ("daily_history_days", "person_shared_mailboxes"):
        assert project_variable(name, project) == project_variable(name)


def test_project_file_that_dbt_itself_asks_for_may_hold_the_variables(tmp_path: Path) -> None:
    files = {
        "dbt_project.yml": "name: mine\nprofile: mine\nmodel-paths: [models]\nvars: {a: 1, b: 1}\n",
        "vars.yml": "vars: {b: 2}\n",
        "models/mine.sql": "select 1 as one",
    }
    project = project_of(home_with(tmp_path, files))
    assert [project_variable(name, project) for name in ("a", "b")] == [1, 2]


@pytest.mark.parametrize(
    ("files", "message"),
    [
        (
            {"vars.yml": "stale_after_days: 3"},
            r"dbt/vars\.yml cannot be read: it has no line vars:",
        ),
        ({"vars.yml": "vars:\n  x: ["}, r"dbt/vars\.yml cannot be read: line \d is no YAML"),
        (
            {"dbt_project.yml": "name: mine\nmodels: {mine: {+tags: x}}"},
            r"models in .*dbt/dbt_project\.yml has no effect there",
        ),
        ({"packages.yml": "packages: []"}, r"dbt/packages\.yml has no effect there"),
        ({"snapshots/x.sql": ""}, "dbt/snapshots has no effect there"),
    ],
)
def test_what_has_no_effect_is_refused_by_name(
    tmp_path: Path, files: dict[str, str], message: str
) -> None:
    with pytest.raises(ConfigurationError, match=message):
        project_of(home_with(tmp_path, {"models/x.sql": "select 1", **files}))


def test_folder_that_a_variable_names_and_that_is_not_there_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LEAD_PIPELINE_OWN_MODELS", str(tmp_path / "nowhere"))
    with pytest.raises(ConfigurationError, match=r"LEAD_PIPELINE_OWN_MODELS names .*nowhere"):
        project_of(home_with(tmp_path, {}))


def test_edit_makes_another_project_and_leaves_the_one_that_is_built(tmp_path: Path) -> None:
    settings = home_with(tmp_path, {"models/x.sql": "select 1 as one"})
    before = project_of(settings)
    texts = texts_of(before)
    home_with(tmp_path, {"models/x.sql": "select 2 as two", "seeds/new.csv": "a\n1\n"})
    assert project_of(settings) != before
    assert texts_of(before) == texts
    home_with(tmp_path, {"models/x.sql": "select 1 as one"})
    (tmp_path / "dbt" / "seeds" / "new.csv").unlink()
    assert project_of(settings) == before


def test_several_at_once_get_the_same_whole_project(tmp_path: Path) -> None:
    settings = home_with(tmp_path, {"models/x.sql": "select 1 as one"})
    found: list[DbtProject] = []
    together = threading.Barrier(4)

    def ask() -> None:
        together.wait()
        found.append(project_of(settings))

    threads = [threading.Thread(target=ask) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == 4
    assert len(set(found)) == 1
    assert [path.name for path in (tmp_path / ".dbt").iterdir()] == [found[0].folder.name]


def test_process_that_is_killed_while_it_merges_leaves_no_half_project(tmp_path: Path) -> None:
    settings = home_with(tmp_path, {"models/x.sql": "select 1 as one"})
    killed = (
        "import os, signal; from pathlib import Path; from lead_pipeline.bi import merged_project as m\n"
        "from lead_pipeline.settings import load_settings\n"
        "m._profiles = lambda *_: os.kill(os.getpid(), signal.SIGKILL)\n"
        f"m.project_of(load_settings({{'home': Path({str(tmp_path)!r})}}))"
    )
    ran = subprocess.run([sys.executable, "-c", killed], check=False)  # noqa: S603
    assert ran.returncode == -9
    [left] = (tmp_path / ".dbt").iterdir()
    project = project_of(settings)
    assert project.folder != left
    assert "profiles.yml" in texts_of(project)


def test_projects_that_nobody_asks_for_go_after_two_days(tmp_path: Path) -> None:
    settings = home_with(tmp_path, {"models/x.sql": "select 1 as one"})
    old = project_of(settings).folder
    home_with(tmp_path, {"models/x.sql": "select 2 as two"})
    young = project_of(settings).folder
    assert old.exists()
    os.utime(old, (0, time.time() - KEPT_SECONDS - 1))
    project_of(settings)
    assert (old.exists(), young.exists()) == (False, True)


def test_project_to_try_shows_edits_at_once_and_reads_and_writes_below_the_home(
    tmp_path: Path,
) -> None:
    settings = home_with(tmp_path, {"models/x.sql": "select 1 as one"})
    folder = project_to_try(settings)
    home_with(tmp_path, {"models/x.sql": "select 2 as two"})
    assert project_to_try(settings) == folder
    assert (folder / "models" / "own" / "x.sql").read_text() == "select 2 as two"
    profiles = (folder / "profiles.yml").read_text()
    assert f"{tmp_path}/dev.duckdb" in profiles
    assert f"home: {tmp_path}" in profiles


def test_what_dbt_says_names_files_as_users_know_them(tmp_path: Path) -> None:
    project = project_of(home_with(tmp_path, {"models/sub/x.sql": "", "seeds/y.yml": ""}))
    told = project.told("Error in model x (models/own/sub/x.sql), Error reading p: own/y.yml - no")
    assert told == (
        f"Error in model x ({tmp_path}/dbt/models/sub/x.sql), "
        f"Error reading p: {tmp_path}/dbt/seeds/y.yml - no"
    )
    assert project.told("models/marts/leads.sql") == "models/marts/leads.sql"


def test_how_files_are_merged_is_part_of_the_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = home_with(tmp_path, {"models/x.sql": "select 1 as one"})
    before = project_of(settings).folder
    package = tmp_path / "package"
    package.mkdir()
    (package / "merged_project.py").write_text("# of another release")
    monkeypatch.setattr("lead_pipeline.bi.own_models.__file__", str(package / "own_models.py"))
    assert merged_project.project_of(settings).folder != before
