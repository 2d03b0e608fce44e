-- The records of some landed files ($files), as they came. `repaired_payload` is filled later, and
-- only where DuckDB cannot read what came.
create or replace temp table landed_records as
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
    null::varchar as repaired_payload
from read_parquet($files, hive_partitioning = false)
