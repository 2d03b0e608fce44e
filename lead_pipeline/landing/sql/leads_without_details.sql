-- Leads whose newest list state is younger than their newest single record, youngest first.
-- $files: the Parquet files of the streams $lists and $details. $gone maps ids that answered 404 to when that was: they count again only once
-- a list has shown them since.
with landed as (
    select stream, record_id, max(updated_at) as updated_at, max(fetched_at) as fetched_at
    from read_parquet($files, hive_partitioning = false)
    group by stream, record_id
),
listed as (select * from landed where list_contains($lists, stream)),
detailed as (select * from landed where list_contains($details, stream)),
gone as (
    select unnest($gone_ids::varchar[]) as record_id, unnest($gone_at::timestamptz[]) as gone_at
),
last_gone as (
    select record_id, max(gone_at) as gone_at from gone group by record_id
)
select listed.record_id
from listed
left join detailed using (record_id)
left join last_gone using (record_id)
where
    listed.updated_at > coalesce(detailed.updated_at, '-infinity'::timestamptz)
    and listed.fetched_at > coalesce(last_gone.gone_at, '-infinity'::timestamptz)
order by listed.updated_at desc, listed.record_id
