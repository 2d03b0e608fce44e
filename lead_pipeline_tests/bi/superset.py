"""A Superset of its own on loopback, asked through its REST API as its own pages ask it.

Belongs here: starting it, and what a user does in it. Does not belong here: what its charts are
expected to show.
"""

from __future__ import annotations

import json
import os
import secrets
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx

from lead_pipeline_tests.bi.readers import CLIENTS, SUPERSET

ENGINE = {"connect_args": {"read_only": True, "config": {"timezone": "UTC"}}}
"""What the recipe writes into the engine parameters."""
NO_CACHE = -1
"""What the recipe writes into the chart cache timeout."""
LEADS = {"label": "leads", "expressionType": "SQL", "sqlExpression": "count(*)"}
SECONDS = 60


@dataclass(frozen=True)
class Superset:
    """What a user can do who has logged in; raises AssertionError with what Superset refuses."""

    api: httpx.Client

    def add_database(self, name: str, path: Path) -> int:
        """Connect to a file as the recipe says; returns its number."""
        return self._add(
            "database",
            database_name=name,
            sqlalchemy_uri=f"duckdb:///{path}",
            cache_timeout=NO_CACHE,
            expose_in_sqllab=True,
            extra=json.dumps({"engine_params": ENGINE}),
        )

    def add_dataset(self, database: int, schema: str, table: str) -> int:
        """Make a table of the file a dataset; returns its number."""
        return self._add("dataset", database=database, schema=schema, table_name=table)

    def add_chart(self, dataset: int, name: str, **query: object) -> int:
        """Save a chart of the number of leads; returns its own number."""
        datasource = {"id": dataset, "type": "table"}
        return self._add(
            "chart",
            slice_name=name,
            viz_type="table",
            datasource_id=dataset,
            datasource_type="table",
            params=json.dumps({"viz_type": "table", "datasource": f"{dataset}__table"}),
            query_context=json.dumps(
                {"datasource": datasource, "queries": [{"metrics": [LEADS], **query}]}
            ),
        )

    def keep_in_cache(self, dataset: int, seconds: int) -> None:
        """Let Superset keep the answers of a dataset's charts."""
        answer_of(self.api.put(f"dataset/{dataset}", json={"cache_timeout": seconds}))

    def rows_of(self, chart: int, *, refresh: bool = False) -> list[dict[str, Any]]:
        """What a chart shows; `refresh` is what its menu offers."""
        answer = answer_of(self.api.get(f"chart/{chart}/data/", params={"force": refresh}))
        [result] = answer["result"]
        return list(result["data"])

    def names_of(self, database: int, kind: str, **query: str) -> list[str]:
        """The schemas of a database, or the tables of one, as they are offered."""
        asked = ",".join(f"{name}:'{value}'" for name, value in query.items())
        answer = answer_of(self.api.get(f"database/{database}/{kind}/", params={"q": f"({asked})"}))
        return [name if isinstance(name, str) else name["value"] for name in answer["result"]]

    def columns_of(self, dataset: int) -> dict[str, str]:
        """The columns of a dataset and their types."""
        columns = answer_of(self.api.get(f"dataset/{dataset}"))["result"]["columns"]
        return {column["column_name"]: column["type"] for column in columns}

    def run_sql(self, database: int, query: str) -> list[dict[str, Any]]:
        """The rows of a query in SQL Lab."""
        asked = {"database_id": database, "sql": query, "runAsync": False}
        return list(answer_of(self.api.post("sqllab/execute/", json=asked))["data"])

    def _add(self, kind: str, **fields: object) -> int:
        return int(answer_of(self.api.post(f"{kind}/", json=fields))["id"])


def answer_of(response: httpx.Response) -> dict[str, Any]:
    """The answer, where it is none of an error."""
    assert response.is_success, f"{response.request.url}: {response.text[:500]}"
    answer: dict[str, Any] = response.json()
    return answer


@contextmanager
def running_superset(home: Path, environment: Mapping[str, str]) -> Iterator[Superset]:
    """A new one with a metadata database of its own below `home`."""
    password = secrets.token_hex(16)
    own = {"SUPERSET_HOME": str(home), "SUPERSET_PASSWORD": password}
    errors = home / "superset.log"
    with (
        errors.open("w") as log,
        subprocess.Popen(  # noqa: S603 - our own program
            [SUPERSET, CLIENTS / "superset_server.py"],
            env={**os.environ, **environment, **own},
            stdout=subprocess.PIPE,
            stderr=log,
            text=True,
        ) as server,
    ):
        try:
            yield _log_in(_address_of(server, errors), password)
        finally:
            server.kill()


def _address_of(server: subprocess.Popen[str], errors: Path) -> str:
    assert server.stdout is not None
    for line in server.stdout:
        if line.startswith("http://"):
            return line.strip()
    raise AssertionError(f"Superset has not started: {errors.read_text()[-2000:]}")


def _log_in(address: str, password: str) -> Superset:
    api = httpx.Client(base_url=f"{address}/api/v1/", timeout=SECONDS)
    login = {"username": "admin", "password": password, "provider": "db"}
    token = answer_of(api.post("security/login", json=login))["access_token"]
    api.headers.update({"Authorization": f"Bearer {token}", "Referer": address})
    api.headers["X-CSRFToken"] = answer_of(api.get("security/csrf_token/"))["result"]
    return Superset(api)
