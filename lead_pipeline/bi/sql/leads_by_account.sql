select 'normalized.leads' as table_name, account, count(*) as leads
from normalized.leads
group by account
union all
select 'marts.lead_facts' as table_name, account, count(*) as leads
from marts.lead_facts
group by account
order by table_name, account
