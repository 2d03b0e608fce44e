-- One part ($chunk) of so many ($chunks) of the changed leads.
create temp table leads_of_chunk as
select lead_key
from changed_leads
where hash(lead_key) % $chunks = $chunk
