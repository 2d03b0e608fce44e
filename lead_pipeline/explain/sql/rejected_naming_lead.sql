-- Rejected records whose bytes hold the lead's id in quotes. They may be no text at all: both
-- sides are compared in the form in which DuckDB writes bytes.
select filename, stream, kind, reason, payload, fetched_at, crawl_id, page
from read_parquet($files, hive_partitioning = false, filename = true)
where contains(payload::varchar, encode('"' || $lead_id || '"')::varchar)
