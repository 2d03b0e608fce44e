-- The observed states, each with the record that it was read from as it came, in their order.
select observed.*, landed_records.raw_payload as payload
from observed
join landed_records on landed_records.rowid = observed.record_row
order by observed.observation
