-- The changes of stage and status that the records at hand report, read once.
create temp table stage_changes as
select *
from mapped_stage_changes
