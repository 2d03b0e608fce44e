-- The leads of `landed_records`, once each; records of the streams $events name theirs elsewhere.
select distinct account, record_id
from landed_records
where not list_contains($events::varchar[], stream)
