-- Times that no lead can have. One that is planned within a year is no fault.
select
    count(*) as failures,
    (
        array_agg(
            account || '/' || stream || ' ' || field || ' ' || value
            || format(' ({:,} records)', records)
            order by account, stream, field, value
        )
    )[:20] as examples,
    (select count(*) from normalized.loaded_files) as looked_at
from normalized.contract_drift
where kind = 'time' and value <> 'planned'
