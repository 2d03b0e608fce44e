-- Leads of each owner: new ones of the seven days until $day and of the seven before, won and lost ones of the
-- 28 days until it with bounds, and those that are open now. Leads that nobody has come first.
with
leads as (from marts.lead_facts),
counted as (
    select
        owner_key,
        any_value(account) as account,
        any_value(owner_id) as owner_id,
        arg_max(owner_name, (updated_at, lead_key)) as owner_name,
        arg_max(owner_role, (updated_at, lead_key)) as owner_role,
        count(*) filter (where created_day between $day::date - 6 and $day::date) as created,
        count(*) filter (where created_day between $day::date - 13 and $day::date - 7) as created_before,
        count(*) filter (
            where
                cast(reached_won_after as date) >= $day::date - 27
                and cast(reached_won_at as date) <= $day::date
        ) as won,
        count(*) filter (
            where
                coalesce(cast(reached_won_after as date) <= $day::date, true)
                and cast(reached_won_at as date) >= $day::date - 27
        ) as won_upper,
        count(*) filter (where is_open and not is_missing) as open,
        count(*) filter (where is_open and not is_missing and not has_response) as unanswered,
        count(*) filter (where is_stale) as stale,
        count(*) filter (where has_open_breach) as over_limit
    from leads
    group by owner_key
)
select
    counted.*,
    performance.p50_response_minutes_lower * 60 as response_seconds_lower,
    performance.p50_response_minutes_upper * 60 as response_seconds_upper,
    performance.win_rate
from counted
left join marts.owner_performance as performance using (owner_key)
order by counted.owner_id is not null, counted.open desc, counted.owner_key
