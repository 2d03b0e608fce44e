-- Records ($files) that came before $before and after which a later state of the same lead was served
-- and came, and where each lies.
with landed as (
    select
        filename,
        file_row_number,
        record_id,
        payload,
        fetched_at,
        served_at
    from read_parquet(
        $files,
        hive_partitioning = false,
        union_by_name = true,
        filename = true,
        file_row_number = true
    )
)
select filename, file_row_number, payload
from landed
qualify
    fetched_at < $before
    and fetched_at < max(fetched_at) over (partition by record_id)
    and coalesce(served_at, fetched_at)
    < max(coalesce(served_at, fetched_at)) over (partition by record_id)
