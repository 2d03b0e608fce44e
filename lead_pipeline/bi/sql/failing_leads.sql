select distinct lead_key
from failing_rows
where lead_key is not null
order by lead_key
limit ?
