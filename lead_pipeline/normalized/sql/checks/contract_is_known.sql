-- What no mapping knows.
select
    count(*) as failures,
    (
        array_agg(
            account || '/' || stream || ' ' || field
            || case kind when 'field' then '' else ' ' || kind || ' ' || coalesce(value, 'null') end
            || format(' ({:,} records)', records)
            order by account, stream, field, kind, value
        )
    )[:20] as examples,
    (select count(*) from normalized.loaded_files) as looked_at
from normalized.contract_drift
where kind <> 'time'
