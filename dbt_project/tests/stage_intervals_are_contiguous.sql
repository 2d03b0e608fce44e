-- Each returned row is a stage interval that does not end where the next one of its lead
-- begins, is numbered with a gap, is called current without being the newest, can have begun only
-- after it was seen, or has two bounds although its beginning is said to be known exactly.
with

    intervals as (
        select
            lead_key,
            stage_number,
            entered_after,
            entered_at,
            exited_at,
            is_current,
            evidence,
            row_number() over lead_intervals as expected_stage_number,
            lead(entered_at) over lead_intervals as next_entered_at,
            lead(stage_number) over lead_intervals is null as is_newest
        from {{ source("normalized", "lead_stage_history") }}
        window lead_intervals as (partition by lead_key order by stage_number)
    )

select *
from intervals
where
    exited_at is distinct from next_entered_at
    or exited_at < entered_at
    or is_current <> is_newest
    or stage_number <> expected_stage_number
    or entered_after > entered_at
    or (evidence <> 'observed' and entered_after is distinct from entered_at)
