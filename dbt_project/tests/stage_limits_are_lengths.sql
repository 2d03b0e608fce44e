-- Each returned row is a limit in seeds/stage_limits.csv that is not a length of time: every lead,
-- or none, would be over it.
select *
from {{ ref("stage_limits") }}
where limit_hours <= 0 or isinf(limit_hours) or isnan(limit_hours)
