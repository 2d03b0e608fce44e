select account, date_day, count(*) as leads_changed
from {{ ref("int_changed_leads") }}
group by account, date_day
