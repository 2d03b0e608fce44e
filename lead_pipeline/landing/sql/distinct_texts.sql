-- Each text that stands in quotes somewhere in the JSON of events ($files), once, escapes as they came.
select distinct unnest(regexp_extract_all(payload, '"((?:[^"\\]|\\.)*)"', 1)) as written
from read_parquet($files, hive_partitioning = false)
