"""`lead-pipeline new-model`: a model with its tests, or one of ours to change.

That it can be built as it is written shows `own_models/test_new_user.py`.
"""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from lead_pipeline.bi.dbt_project import ours
from lead_pipeline.commands.new_model import write_model
from lead_pipeline.errors import ConfigurationError
from lead_pipeline_tests.commands import Ran, environment, lead_pipeline_here


def new_model(folder: Path, *arguments: str) -> Ran:
    return lead_pipeline_here(folder, environment(folder / "home"), "new-model", *arguments)


def test_model_has_a_description_of_itself_and_of_each_column_and_a_test_of_its_key(
    tmp_path: Path,
) -> None:
    ran = new_model(tmp_path, "won_by_source")
    assert (ran.status, ran.errors) == (0, "")
    models = tmp_path / "home" / "dbt" / "models"
    assert f"Wrote {models}/won_by_source.sql." in ran.output
    [model] = yaml.safe_load((models / "won_by_source.yml").read_text())["models"]
    assert model["name"] == "won_by_source"
    assert model["description"]
    assert all(column["description"] for column in model["columns"])
    assert model["data_tests"][0]["unique_together"]["arguments"]["columns"]


def test_one_of_ours_is_copied_to_be_changed(tmp_path: Path) -> None:
    assert new_model(tmp_path, "--override", "stages").status == 0
    assert new_model(tmp_path, "--override", "stage_limits").status == 0
    written = {p.relative_to(tmp_path / "home" / "dbt") for p in tmp_path.rglob("dbt/*/*.*")}
    assert written == {Path("models/stages.sql"), Path("seeds/stage_limits.csv")}
    copy = tmp_path / "home" / "dbt" / "models" / "stages.sql"
    assert copy.read_text() == (ours().folder / "models" / "marts" / "stages.sql").read_text()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["Deals"], "'Deals' is no name of a table. Use lower-case letters"),
        (["../deals"], "is no name of a table"),
        (["1st"], "is no name of a table"),
        (["leads"], "There is a model leads of ours. Choose another name, or change ours with"),
        (["--override", "deals"], "There is no model or seed deals of ours. There are: "),
        ([], "Give a NAME for a new model, or --override MODEL"),
        (["deals", "--override", "leads"], "not both"),
    ],
)
def test_what_cannot_be_written_is_refused_and_leaves_nothing(
    tmp_path: Path, arguments: list[str], message: str
) -> None:
    ran = new_model(tmp_path, *arguments)
    assert ran.status == 1
    assert message in ran.last_line
    assert list(tmp_path.rglob("*.sql")) == []


def test_file_that_is_there_is_left_alone(tmp_path: Path) -> None:
    mine = tmp_path / "models" / "deals.yml"
    mine.parent.mkdir()
    mine.write_text("# weeks of work")
    with pytest.raises(ConfigurationError, match=r"deals\.yml is there already"):
        write_model("deals", tmp_path)
    assert [path.name for path in mine.parent.iterdir()] == ["deals.yml"]
    assert mine.read_text() == "# weeks of work"
