-- What leads have had at one place of their JSON ($path), each once. Records that DuckDB cannot read as
-- JSON come whole, for Python to read.
select distinct
    account,
    record_id,
    case when json_valid(payload) then payload ->> $path end as written,
    case when not json_valid(payload) then payload end as unread
from read_parquet($files, hive_partitioning = false)
where $ids is null or list_contains($ids::varchar[], record_id)
