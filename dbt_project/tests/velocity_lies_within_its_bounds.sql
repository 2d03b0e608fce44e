-- Each returned row is a stage of which a figure is below its lower or above its upper bound, or
-- which has figures without a measured stay, or the other way round.
select *
from {{ ref("stage_velocity") }}
where
    not (p50_days between p50_days_lower and p50_days_upper)
    or not (p90_days between p90_days_lower and p90_days_upper)
    or not (mean_days between mean_days_lower and mean_days_upper)
    or (visits_measured = 0) <> (p50_days is null)
    or (visits_measured = 0) <> (mean_days_upper is null)
