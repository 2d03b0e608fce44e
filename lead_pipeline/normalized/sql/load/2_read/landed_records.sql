-- The records of some landed files ($files), as they came. Files of earlier releases do not say when
-- their records were served: as far as is known, when they were fetched.
create temp table landed_records as
with files as (
    select *
    from read_parquet($files, hive_partitioning = false, union_by_name = true)
    union all by name
    -- For the column alone, where no file has it.
    select null::timestamptz as served_at
    where false
)
select
    provider,
    account,
    stream,
    record_id,
    updated_at,
    created_at,
    fetched_at,
    coalesce(served_at, fetched_at) as served_at,
    crawl_id,
    page,
    payload as raw_payload
from files
