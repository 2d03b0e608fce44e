select account, stage, count(*) as leads
from marts.leads
group by account, stage
order by account, leads desc, stage
