-- What the records at hand tell of stage changes, read once.
create temp table stage_changes as
select *
from mapped_stage_changes
