-- The lead's row as readers will get it.
select *
from normalized.leads
where lead_key = $lead_key
