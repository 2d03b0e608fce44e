-- Leads of each account and stage.
select account, stage, count(*)
from normalized.leads
group by account, stage
