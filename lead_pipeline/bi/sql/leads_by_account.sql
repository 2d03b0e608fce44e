select 'normalized.leads' as table_name, account, count(*) as leads
from normalized.leads
group by account
union all
select 'marts.leads' as table_name, account, count(*) as leads
from marts.leads
group by account
order by table_name, account
