-- The observed states, each with the record that it was read from as it came, in their order.
select * exclude (raw_payload), raw_payload as payload
from observed
order by observation
