-- How far each account's data reaches. Times in the zone of the session, without it; `last_day` is the last
-- day of that zone of which all is there, `first_watched_day` the first on which changes were seen from its start.
select
    account,
    provider,
    leads,
    timezone(current_setting('TimeZone'), complete_from) as complete_from,
    timezone(current_setting('TimeZone'), complete_through) as complete_through,
    timezone(current_setting('TimeZone'), watched_from) as watched_from,
    poll_seconds,
    note,
    cast(complete_through as date) - 1 as last_day,
    cast(watched_from - interval 1 microsecond as date) + 1 as first_watched_day
from meta.publish
order by account
