-- How long leads stay in each stage, in days, with the bounds that the evidence gives.
select
    account,
    stage,
    stays_measured,
    stays_open,
    p50_days,
    p50_days_lower,
    p50_days_upper,
    p90_days,
    mean_days,
    p50_open_days
from marts.stage_velocity
order by
    account,
    list_position(
        ['new', 'engaged', 'qualified', 'booked', 'won', 'lost', 'nurture', 'archived', 'unmapped'],
        stage
    )
