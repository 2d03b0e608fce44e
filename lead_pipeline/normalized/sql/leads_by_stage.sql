-- Leads by provider and canonical stage.
select provider, stage, count(*) as leads
from normalized.leads
group by all
order by all
