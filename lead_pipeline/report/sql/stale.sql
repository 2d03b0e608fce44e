-- Stale leads by account and stage: by our measure only, by the provider's list only, by both.
with counted as (
    select
        account,
        stage,
        case
            when is_stale and is_stale_for_provider then 'both'
            when is_stale_for_provider then 'the provider only'
            else 'this pipeline only'
        end as seen_by,
        count(*) as leads,
        median(days_quiet) as p50_days_quiet,
        max(days_quiet) as longest_days_quiet
    from marts.stale_leads
    where is_stale or is_stale_for_provider
    group by all
)
select counted.*, stages.place
from counted
join marts.stages as stages
    on stages.account = counted.account
    and stages.stage = counted.stage
order by counted.account, stages.place, counted.seen_by
