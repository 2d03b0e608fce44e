-- The records of some landed files ($files). `payload` is for the mapping, which needs JSON that
-- DuckDB reads; `raw_payload` stays as it came.
create or replace temp table landed as
select
    provider,
    account,
    stream,
    record_id,
    updated_at,
    created_at,
    fetched_at,
    crawl_id,
    page,
    payload as raw_payload,
    payload
from read_parquet($files, hive_partitioning = false)
