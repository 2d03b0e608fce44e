-- The leads of the stage changes: their rows are to be written again.
insert into leads_with_records
select distinct lead_key
from stage_changes
