-- Each returned row is a day, account and stage of which a count lies outside of its bounds, or
-- that
-- counts more leads for certain than there are.
{{ config(meta={"dagster": {"ref": {"name": "stage_funnel_daily"}}}) }}
select *
from {{ ref("stage_funnel_daily") }}
where
    not (leads_in_stage between leads_in_stage_lower and leads_in_stage_upper)
    or not (leads_entered between leads_entered_lower and leads_entered_upper)
    or not (leads_exited between leads_exited_lower and leads_exited_upper)
    or leads_in_stage_lower < 0
