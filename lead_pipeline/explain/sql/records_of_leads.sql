-- The landed records of some leads ($lead_ids), in the form that the mapping of loading reads,
-- and where each lies. `observation` counts them as they came.
create temp table landed_records as
select
    row_number() over (order by fetched_at, crawl_id, page, file_row_number) as observation,
    filename as file,
    provider,
    account,
    stream,
    record_id,
    updated_at,
    created_at,
    fetched_at,
    fetched_at as served_at,
    crawl_id,
    page,
    payload as raw_payload
from read_parquet($files, hive_partitioning = false, filename = true, file_row_number = true)
where list_contains($lead_ids, record_id)
