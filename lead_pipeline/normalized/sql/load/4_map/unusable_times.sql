-- Times that records show and that no lead can have: null in the tables, or bounded by when they were
-- served. `unusable`: nothing that reads as a time, or of a year that stands for none (1, 1970, 9999);
-- `future`: more than a year after it was served; `planned`: less.
insert into found_drift by name
with times as (
    unpivot (
        select
            account,
            provider,
            stream,
            record_row,
            served_at,
            fetched_at,
            coalesce(created_at, '-infinity'::timestamptz) as created_at,
            updated_at,
            coalesce(last_interaction_at, '-infinity'::timestamptz) as last_interaction_at,
            coalesce(
                qualification_completed_at, '-infinity'::timestamptz
            ) as qualification_completed_at
        from keyed
    )
    on created_at, updated_at, last_interaction_at, qualification_completed_at
    into name lead_column value moment
),
odd as (
    select times.* exclude (moment), nullif(moment, '-infinity'::timestamptz) as moment, known.field
    from times
    join known_fields as known
        on known.provider = times.provider
        and known.stream = times.stream
        and known.lead_column = times.lead_column
    where moment = '-infinity'::timestamptz or until(moment, served_at) is null
)
select
    account,
    provider,
    stream,
    'time' as kind,
    field,
    case
        when moment is null
        then 'unusable'
        when moment <= served_at + interval 1 year
        then 'planned'
        else 'future'
    end as value,
    count(*) as records,
    min(fetched_at) as first_seen_at,
    max(fetched_at) as last_seen_at
from odd
join (select record_row, payload from landed) as records using (record_row)
-- A field that is null or absent says no time.
where moment is not null or try(json_extract_string(payload, '$.' || field)) is not null
group by all
