-- Leads that are held as existing, the oldest first: those met at or after $met_from, and not shown
-- to have vanished since. $files: the Parquet files of their list. $gone_ids and $gone_at: which
-- leads searches did not find, and when. Only leads with a time of creation have a place in the order.
with met as (
    select
        record_id,
        arg_max(created_at, fetched_at) as created_at,
        max(fetched_at) as last_met_at
    from read_parquet($files, hive_partitioning = false)
    group by record_id
),
not_found as (
    select unnest($gone_ids::varchar[]) as record_id, unnest($gone_at::timestamptz[]) as gone_at
),
gone as (
    select record_id, max(gone_at) as gone_at
    from not_found
    group by record_id
)
select met.record_id, epoch_us(met.created_at), met.last_met_at < $crawl_began_at
from met
left join gone using (record_id)
where
    met.created_at is not null
    and met.last_met_at >= $met_from
    and coalesce(gone.gone_at <= met.last_met_at, true)
order by met.created_at, met.record_id
