-- Open leads in each stage of each account, and how long leads stay there, in days, with the bounds that the
-- evidence gives.
with
counted as (
    select
        account,
        stage,
        count(*) filter (where not is_missing) as open,
        count(*) filter (where is_stale) as stale,
        count(*) filter (where is_stale_for_provider) as stale_for_provider,
        count(*) filter (where has_open_breach) as over_limit
    from marts.lead_facts
    where is_open
    group by account, stage
)
select
    stages.account,
    stages.stage,
    coalesce(counted.open, 0) as open,
    coalesce(counted.stale, 0) as stale,
    coalesce(counted.stale_for_provider, 0) as stale_for_provider,
    coalesce(counted.over_limit, 0) as over_limit,
    velocity.p50_days_lower,
    velocity.p50_days_upper,
    velocity.p90_days
from marts.stages as stages
left join counted using (account, stage)
left join marts.stage_velocity as velocity using (account, stage)
where counted.open > 0
order by stages.account, stages.place
