-- Leads that their provider has not had since before $before.
select account, lead_id
from normalized.leads
where missing_since < $before
order by all
