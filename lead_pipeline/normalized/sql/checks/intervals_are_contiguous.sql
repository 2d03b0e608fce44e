-- Intervals of the changed leads that are not where their neighbours say.
with neighbours as (
    select
        *,
        row_number() over interval_order as expected_number,
        lead(entered_at) over interval_order as next_entered_at
    from checked_history
    window interval_order as (partition by lead_key order by stage_number)
),
wrong as (
    select lead_key
    from neighbours
    where
        stage_number <> expected_number
        or exited_at is distinct from next_entered_at
        or exited_at < entered_at
        or entered_after > entered_at
        or is_current <> (next_entered_at is null)
        or (evidence <> 'observed' and entered_after is distinct from entered_at)
)
select
    count(*) as failures,
    (array_agg(distinct lead_key order by lead_key))[:5] as examples,
    (select count(*) from checked_history) as looked_at
from wrong
