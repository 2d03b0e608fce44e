-- Statuses and stages without a canonical stage that leads have now, with the number of leads and
-- when the first of these was seen to have it.
select
    leads.account,
    leads.provider_status,
    leads.provider_stage,
    count(*) as leads,
    min(history.entered_at) as since
from normalized.leads as leads
left join normalized.lead_stage_history as history
    on history.lead_key = leads.lead_key and history.is_current
where leads.stage = 'unmapped'
group by all
order by leads.account, leads desc, leads.provider_status, leads.provider_stage
