-- How long leads are in each stage, in days, with the bounds that the evidence gives.
select
    velocity.account,
    velocity.stage,
    velocity.visits,
    velocity.visits_open,
    velocity.visits_of_unknown_start,
    velocity.p50_days,
    velocity.p50_days_lower,
    velocity.p50_days_upper,
    velocity.p90_days,
    velocity.p50_ended_days,
    stages.place,
    stages.colour,
    stages.dark_colour
from marts.stage_velocity as velocity
join marts.stages as stages
    on stages.account = velocity.account
    and stages.stage = velocity.stage
order by velocity.account, stages.place
