select account, count(missing_since) as missing
from normalized.leads
group by account
order by account
