-- Values that stages.csv does not know, with the number of leads that have them now.
select provider, provider_status, provider_stage, count(*) as leads
from normalized.leads
where stage = 'unmapped'
group by all
order by leads desc, provider, provider_status, provider_stage
