-- Each returned row is a lead whose current stage in the history is not the one it shows now,
-- or that has no current stage in the history, or more than one.
{{ config(meta={"dagster": {"ref": {"name": "stg_lead_stage_history"}}}) }}
select
    leads.lead_key,
    leads.stage,
    count(history.lead_key) as current_rows,
    any_value(history.stage) as stage_in_history
from {{ ref("stg_leads") }} as leads
left join
    {{ ref("stg_lead_stage_history") }} as history
    on leads.lead_key = history.lead_key
    and history.is_current
group by leads.lead_key, leads.stage, leads.provider_stage, leads.provider_status
having
    count(history.lead_key) <> 1
    or any_value(history.stage) is distinct from leads.stage
    or any_value(history.provider_stage) is distinct from leads.provider_stage
    or any_value(history.provider_status) is distinct from leads.provider_status
