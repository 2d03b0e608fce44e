"""What the team's store promises: whole objects, one winner of a race, clear errors without secrets."""

from __future__ import annotations

import hashlib
import os
import secrets
import subprocess
import sys
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from lead_pipeline.errors import ConfigurationError, StoreUnavailable
from lead_pipeline.storage.team.objects import (
    NameTaken,
    ObjectMissing,
    ObjectStore,
    Outdated,
    Version,
    open_store,
)
from lead_pipeline_tests.deploy.database import free_port
from lead_pipeline_tests.team.object_store import BUCKET, SECRET_KEY, Passage, S3Server

RACERS = 4


@pytest.fixture
def store(shared: str) -> ObjectStore:
    return open_store(shared)


def test_what_was_put_is_read_and_listed_below_its_folder(store: ObjectStore) -> None:
    store.put("landing/a/one.json", b"1")
    store.put("landing/a/deeper/two.json", b"22")
    store.put("landing/ab/three.json", b"333")
    assert store.get("landing/a/one.json").content == b"1"
    assert [(o.name, o.bytes) for o in store.list("landing/a")] == [
        ("landing/a/deeper/two.json", 2),
        ("landing/a/one.json", 1),
    ]
    assert len(list(store.list())) == 3


def test_two_prefixes_of_a_bucket_do_not_see_each_other(shared: str) -> None:
    open_store(shared).put("x", b"1")
    assert list(open_store(f"{shared}-other").list()) == []


@pytest.mark.parametrize("ending", ["", "/"])
def test_a_store_may_be_a_whole_bucket(shared: str, ending: str) -> None:
    assert shared
    store = open_store(f"s3://{BUCKET}{ending}")
    name = f"whole-{secrets.token_hex(4)}/one"
    store.put(name, b"1")
    assert [found.name for found in store.list(name.partition("/")[0])] == [name]
    assert store.get(name).content == b"1"


def test_credentials_in_the_url_are_refused_and_not_shown() -> None:
    with pytest.raises(ConfigurationError, match="without credentials") as told:
        open_store("s3://key:secret@bucket/prefix")
    assert "secret" not in str(told.value)


def test_lists_have_all_objects_however_many(store: ObjectStore) -> None:
    with ThreadPoolExecutor(8) as threads:
        list(threads.map(lambda n: store.put(f"many/{n:05d}", b"x"), range(1_100)))
    assert [stored.name for stored in store.list("many")] == [f"many/{n:05d}" for n in range(1_100)]


def test_what_is_not_there_is_missing_and_removing_it_is_no_error(store: ObjectStore) -> None:
    assert store.find("nothing") is None
    with pytest.raises(ObjectMissing):
        store.get("nothing")
    store.put("gone", b"x")
    store.delete("gone", "gone", "nothing")
    assert list(store.list()) == []


def test_of_several_creators_one_wins(store: ObjectStore) -> None:
    def create(racer: int) -> str:
        try:
            store.create("race", f"{racer}".encode() * (1 + racer))
        except NameTaken:
            return "taken"
        return f"{racer}"

    for _ in range(5):
        with ThreadPoolExecutor(RACERS) as threads:
            ended = list(threads.map(create, range(RACERS)))
        winner = next(racer for racer in ended if racer != "taken")
        assert Counter(ended) == {"taken": RACERS - 1, winner: 1}
        assert store.get("race").content.decode() == winner * (1 + int(winner))
        store.delete("race")


def test_of_several_who_replace_the_same_state_one_wins(store: ObjectStore) -> None:
    version = store.put("pointer", b"first")
    for step in range(5):
        expected = version

        def replace(racer: int, step: int = step, expected: Version = expected) -> Version | None:
            try:
                return store.replace("pointer", f"{step} {racer}".encode(), expected)
            except Outdated:
                return None

        with ThreadPoolExecutor(RACERS) as threads:
            won = [found for found in threads.map(replace, range(RACERS)) if found is not None]
        assert len(won) == 1
        assert store.get("pointer").version == won[0]
        version = won[0]


def test_what_was_removed_cannot_be_replaced(store: ObjectStore) -> None:
    version = store.put("pointer", b"first")
    store.delete("pointer")
    with pytest.raises(Outdated):
        store.replace("pointer", b"second", version)
    assert store.find("pointer") is None


def test_the_answer_that_got_lost_is_known_as_the_own_one(
    s3_server: S3Server, shared: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with Passage(s3_server).open() as passage:
        for name, value in passage.variables.items():
            monkeypatch.setenv(name, value)
        store = open_store(shared)
        store.put("before", b"x")
        passage.loses_answer_of = lambda request: (
            request.method == "PUT" and not any(r.path == request.path for r in passage.lost)
        )
        created = store.create("page", b"mine")
        replaced = store.replace("before", b"mine too", store.get("before").version)
        assert [request.method for request in passage.lost] == ["PUT", "PUT"]
        assert store.get("page") == type(store.get("page"))(b"mine", created)
        assert store.get("before").version == replaced
        with pytest.raises(NameTaken):
            store.create("page", b"somebody else's")
        with pytest.raises(Outdated):
            store.replace("before", b"somebody else's", created)
        assert store.get("page").content == b"mine"


def test_a_download_is_whole_verified_and_leaves_nothing_else(
    store: ObjectStore, tmp_path: Path
) -> None:
    content = os.urandom(9_000_000)
    digest = hashlib.sha256(content).hexdigest()
    source, target = tmp_path / "source", tmp_path / "folder" / "target"
    source.write_bytes(content)
    version = store.put_file("large", source)
    assert store.download("large", target, digest) == (digest, version)
    assert target.read_bytes() == content
    store.put("large", content[:-1])
    with pytest.raises(StoreUnavailable, match="SHA-256"):
        store.download("large", target, digest)
    with pytest.raises(ObjectMissing):
        store.download("nothing", target)
    assert target.read_bytes() == content
    assert list(target.parent.iterdir()) == [target]


def test_a_store_that_does_not_answer_is_told_without_its_credentials(
    shared: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://127.0.0.1:{free_port()}")
    with pytest.raises(StoreUnavailable, match="did not write x") as told:
        open_store(shared, patience=0).put("x", b"1")
    assert shared in str(told.value)
    assert SECRET_KEY not in str(told.value)


def test_wrong_credentials_are_told_by_their_variables(
    shared: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "another")
    with pytest.raises(ConfigurationError, match="AWS_SECRET_ACCESS_KEY") as told:
        open_store(shared).get("x")
    assert "403" in str(told.value)
    assert "another" not in str(told.value)


def test_missing_credentials_are_told_by_their_variables(
    shared: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
    # Asked for roles of a machine elsewhere.
    monkeypatch.setenv("AWS_SKIP_SIGNATURE", "true")
    with pytest.raises(ConfigurationError, match="AWS_SECRET_ACCESS_KEY"):
        open_store(shared).get("x")


def test_a_bucket_that_is_not_there_is_no_empty_one(shared: str) -> None:
    assert shared
    store = open_store("s3://another-bucket/prefix")
    with pytest.raises(ConfigurationError, match="no such bucket"):
        list(store.list())
    with pytest.raises(ConfigurationError, match="no such bucket"):
        store.get("x")


def test_plain_http_is_taken_for_this_machine_only(
    shared: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://store.example.com")
    monkeypatch.setenv("AWS_ALLOW_HTTP", "true")
    with pytest.raises(ConfigurationError, match="AWS_ENDPOINT_URL must begin with https://"):
        open_store(shared)


def test_credentials_may_stand_in_dotenv(
    s3_server: S3Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lines = [f"{name}={value}" for name, value in s3_server.variables.items()]
    (tmp_path / ".env").write_text("\n".join([*lines, "AWS_PROFILE=other"]))
    for name in s3_server.variables:
        monkeypatch.delenv(name, raising=False)
    store = open_store(s3_server.new_prefix())
    store.put("x", b"1")
    assert store.get("x").content == b"1"


def test_without_the_package_the_error_says_what_to_install() -> None:
    program = (
        "import sys; sys.modules['obstore'] = None\n"
        "from lead_pipeline.storage.team.objects import open_store\n"
        "open_store('s3://bucket/prefix')"
    )
    ended = subprocess.run(  # noqa: S603
        [sys.executable, "-c", program], capture_output=True, text=True, check=False
    )
    assert 'pip install "lead-pipeline[team]"' in ended.stderr.splitlines()[-1]
