-- Records of a crawl that were updated before its window began and that no earlier crawl landed:
-- they arrived late. $own are the crawl's files, $earlier the other files of the same days.
select count(*)
from (
    select distinct record_id, updated_at
    from read_parquet($own, hive_partitioning = false)
    where updated_at < $start
) as overlap
anti join read_parquet($earlier, hive_partitioning = false) as earlier
    on overlap.record_id = earlier.record_id and overlap.updated_at = earlier.updated_at
