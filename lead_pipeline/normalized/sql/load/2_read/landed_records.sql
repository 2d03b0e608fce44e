-- The records of some landed files ($files), as they came.
create temp table landed_records as
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
    payload as raw_payload
from read_parquet($files, hive_partitioning = false)
