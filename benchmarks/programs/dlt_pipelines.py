"""The same list into DuckDB by dlt, in three ways. Runs in dlt's own environment, not in ours.

    python dlt_pipelines.py declarative|tuned|arrow ORIGIN FOLDER

- declarative: `rest_api_source` as its documentation shows it, merged by primary key, nothing set.
- tuned: the same source with Parquet files, upsert, no tables of nested values, large buffers, and
  as many workers as there are cores.
- arrow: a resource written by hand, which reads pages with httpx and orjson and yields Arrow tables.

The last line tells how many leads the table has. Belongs here: peers. Imports nothing of ours.
"""

import json
import os
import sys

TOKEN = "mega_" + "0" * 64
CUSTOMER_ID = "3188627d-cd76-5390-a107-c7320562d96f"
PATH = "/api/agents/crm/leads"
PARAMETERS = {
    "sort_by": "updated_at",
    "sort_dir": "asc",
    "limit": 100,
    "include_custom_fields": "true",
}
PAGES_A_TABLE = 200
UPSERT = {"disposition": "merge", "strategy": "upsert"}
TUNING = {
    "NORMALIZE__WORKERS": str(os.cpu_count()),
    "NORMALIZE__START_METHOD": "fork",
    "NORMALIZE__DATA_WRITER__BUFFER_MAX_ITEMS": "50000",
    "EXTRACT__DATA_WRITER__BUFFER_MAX_ITEMS": "50000",
    # So many files as give each worker some.
    "EXTRACT__DATA_WRITER__FILE_MAX_ITEMS": "50000",
}


def declarative(origin, **resource):
    """dlt's own source for REST APIs."""
    from dlt.sources.rest_api import rest_api_source

    return rest_api_source(
        {
            "client": {
                "base_url": origin,
                "headers": {"x-customer-id": CUSTOMER_ID},
                "auth": {"type": "bearer", "token": TOKEN},
                "paginator": {
                    "type": "cursor",
                    "cursor_path": "next_cursor",
                    "cursor_param": "cursor",
                },
            },
            "resources": [
                {
                    "name": "leads",
                    "primary_key": "id",
                    "write_disposition": "merge",
                    "endpoint": {"path": PATH, "params": PARAMETERS, "data_selector": "leads"},
                    **resource,
                }
            ],
        }
    )


def arrow(origin):
    """Tables of many pages each; nested values are texts, as in a column of JSON."""
    import dlt
    import httpx
    import orjson
    import pyarrow as pa

    nested = ("current_stage", "owner", "custom_fields")

    def table(leads):
        for lead in leads:
            for name in nested:
                lead[name] = orjson.dumps(lead[name]).decode()
            # Of all leads null here, and without a type.
            lead["qualified"] = lead["qualified"] and str(lead["qualified"])
        return pa.Table.from_pylist(leads).cast(SCHEMA)

    names = (
        *("id", "customer_id", "contact_name", "contact_phone", "contact_email"),
        *("source_platform", "source_type", "status"),
    )
    SCHEMA = pa.schema(  # noqa: N806
        [(name, pa.string()) for name in names]
        + [("score", pa.int64()), ("qualified", pa.string())]
        + [(name, pa.string()) for name in nested[:2]]
        + [("last_interaction_at", pa.string()), ("interaction_count", pa.int64())]
        + [("created_at", pa.string()), ("updated_at", pa.string()), (nested[2], pa.string())]
    )

    @dlt.resource(name="leads", primary_key="id", write_disposition=UPSERT)
    def leads():
        headers = {"Authorization": f"Bearer {TOKEN}", "x-customer-id": CUSTOMER_ID}
        with httpx.Client(base_url=origin, headers=headers) as client:
            cursor, held, pages = "", [], 0
            while cursor is not None:
                parameters = {**PARAMETERS, "cursor": cursor} if cursor else PARAMETERS
                page = orjson.loads(client.get(PATH, params=parameters).content)
                held += page["leads"]
                cursor, pages = page["next_cursor"], pages + 1
                if pages % PAGES_A_TABLE == 0 and held:
                    yield table(held)
                    held = []
            if held:
                yield table(held)

    return leads


def main():
    """Run the pipeline and tell."""
    way, origin, folder = sys.argv[1:]
    os.environ["RUNTIME__DLTHUB_TELEMETRY"] = "false"
    os.environ["RUNTIME__LOG_LEVEL"] = "ERROR"
    if way != "declarative":
        os.environ.update(TUNING)

    import dlt

    path = os.path.join(folder, "leads.duckdb")  # noqa: PTH118
    pipeline = dlt.pipeline(
        pipeline_name="leads",
        pipelines_dir=os.path.join(folder, "pipelines"),  # noqa: PTH118
        destination=dlt.destinations.duckdb(path),
        dataset_name="raw",
    )
    if way == "declarative":
        pipeline.run(declarative(origin))
    elif way == "tuned":
        source = declarative(origin, write_disposition=UPSERT, max_table_nesting=0)
        pipeline.run(source, loader_file_format="parquet")
    else:
        pipeline.run(arrow(origin))

    import duckdb

    with duckdb.connect(path, read_only=True) as connection:
        rows = connection.execute("select count(*) from raw.leads").fetchone()[0]
    print(json.dumps({"rows": rows}))


if __name__ == "__main__":
    main()
