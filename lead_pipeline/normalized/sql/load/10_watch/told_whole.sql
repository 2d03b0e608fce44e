-- Leads that this load has written or that are watched since another time than before, and whose records
-- tell the whole of their history.
create temp table told_whole as
select distinct events.lead_key
from normalized.lead_stage_events as events
join normalized.leads using (lead_key)
where
    events.is_first
    and events.lead_key in (
        select lead_key from changed_leads
        union all
        select lead_key from leads_with_changed_watch
    )
    and leads.provider in (select provider from streams where tells_history)
