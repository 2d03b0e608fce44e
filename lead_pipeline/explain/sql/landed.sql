-- What mappings read, with the columns that `landed_records` has here in addition.
create or replace temp view landed as
select
    * exclude (repaired_payload),
    coalesce(repaired_payload, raw_payload) as payload
from landed_records
