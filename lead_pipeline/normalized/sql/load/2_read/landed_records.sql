-- The records of some landed files ($files), as they came. Files of earlier releases do not say when
-- their records were served: as far as is known, when they were fetched.
-- Files that hold the rows of several landed ones can be wanted in parts ($are_parts): of each file of
-- $part_files the rows from $first_rows on, before $end_rows.
create temp table landed_records as
with files as (
    select *
    from read_parquet(
        $files,
        hive_partitioning = false,
        union_by_name = true,
        filename = true,
        file_row_number = true
    )
    union all by name
    -- For the column alone, where no file has it.
    select null::timestamptz as served_at
    where false
),
parts as (
    select
        unnest($part_files::varchar[]) as filename,
        unnest($first_rows::bigint[]) as first_row,
        unnest($end_rows::bigint[]) as end_row
)
select
    files.provider,
    files.account,
    files.stream,
    files.record_id,
    files.updated_at,
    files.created_at,
    files.fetched_at,
    coalesce(files.served_at, files.fetched_at) as served_at,
    files.crawl_id,
    files.page,
    files.payload as raw_payload
from files
-- Not an ASOF join, which would gather and sort all records first.
where
    not $are_parts
    or exists (
        select 1
        from parts
        where
            parts.filename = files.filename
            and files.file_row_number between parts.first_row and parts.end_row - 1
    )
