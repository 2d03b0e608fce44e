select account, stage, count(*) as leads
from marts.lead_facts
group by account, stage
order by account, leads desc, stage
