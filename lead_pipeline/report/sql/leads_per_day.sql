-- Leads created on each of the last $days UTC days of the data, by source. The $sources largest
-- sources by name, the rest as one; every day has a row for each.
with dated as (
    select cast(timezone('UTC', created_at) as date) as date_day, coalesce(source, 'unknown') as source
    from marts.leads
    where created_at is not null
),
bounds as (
    select
        cast(timezone('UTC', max(complete_through)) as date) - 1 as last_day
    from meta.publish
),
shown as (
    select dated.date_day, dated.source
    from dated, bounds
    where
        dated.date_day > bounds.last_day - $days::integer
        and dated.date_day <= bounds.last_day
),
largest as (
    select source
    from shown
    group by source
    order by count(*) desc, source
    limit $sources
),
counted as (
    select
        shown.date_day,
        case when largest.source is null then 'all others' else shown.source end as source,
        count(*) as leads
    from shown
    left join largest using (source)
    group by all
),
days as (
    select
        cast(
            unnest(
                generate_series(
                    greatest(last_day - $days::integer + 1, (select min(date_day) from shown)),
                    last_day,
                    interval 1 day
                )
            ) as date
        ) as date_day
    from bounds
)
select days.date_day, names.source, coalesce(counted.leads, 0) as leads
from days
cross join (select distinct source from counted) as names
left join counted using (date_day, source)
order by days.date_day, names.source
