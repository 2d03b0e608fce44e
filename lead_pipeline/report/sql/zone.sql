-- The zone of the file's days.
select max(time_zone)
from meta.publish
