with

    visits as (
        select
            *,
            {{ days_of("seconds_in_stage") }} as days,
            {{ days_of("seconds_in_stage_lower") }} as min_days,
            -- Where the earliest beginning is unknown, there is no limit.
            coalesce({{ days_of("seconds_in_stage_upper") }}, 'infinity'::double) as max_days
        from {{ ref("stage_visits") }}
    ),

    possible_visits as (
        select *, {{ days_of("max_seconds_in_stage") }} as max_days
        from {{ ref("int_possible_visits") }}
    ),

    survival as (select * from {{ ref("int_visit_survival") }}),

    counted as (
        select
            provider,
            account,
            stage,
            count(*) filter (where is_counted) as visits,
            count(*) filter (where is_counted and not is_current) as visits_ended,
            count(*) filter (where is_current) as visits_open,
            count(*) filter (where not is_counted) as visits_of_unknown_start,
            median(max_days) filter (where is_counted and not is_current) as longest_median,
            median((min_days + max_days) / 2) filter (
                where is_counted and not is_current
            ) as ended_median,
            median(min_days) filter (where is_current) as p50_open_days_lower,
            median(max_days) filter (where is_current) as open_upper
        from visits
        group by provider, account, stage
    ),

    -- With those that nobody saw: at the least of no length, at the most as long as they can have
    -- been.
    ended as (
        select provider, account, stage, min_days, max_days
        from visits
        where is_counted and not is_current
        union all
        select
            possible_visits.provider,
            possible_visits.account,
            possible_visits.stage,
            0 as min_days,
            case
                when possible_visits.max_days > counted.longest_median
                then
                    max(possible_visits.max_days) over (
                        partition by possible_visits.account, possible_visits.stage
                    )
            end as max_days
        from possible_visits
        join counted using (provider, account, stage)
    ),

    bounds as (
        select
            provider,
            account,
            stage,
            median(min_days) as p50_ended_days_lower,
            median(max_days) as p50_ended_days_upper
        from ended
        group by provider, account, stage
    ),

    final as (
        select
            counted.provider,
            counted.account,
            counted.stage,
            counted.visits,
            counted.visits_ended,
            counted.visits_open,
            counted.visits_of_unknown_start,
            {{ days_of("survival.p50") }} as p50_days,
            {{ days_of("survival.p50_lower") }} as p50_days_lower,
            {{ days_of("survival.p50_upper") }} as p50_days_upper,
            {{ days_of("survival.p90") }} as p90_days,
            {{ days_of("survival.p90_lower") }} as p90_days_lower,
            {{ days_of("survival.p90_upper") }} as p90_days_upper,
            {{ told("ended_median", "p50_ended_days_lower", "p50_ended_days_upper") }}
            as p50_ended_days,
            case when visits_ended > 0 then bounds.p50_ended_days_lower end as p50_ended_days_lower,
            case when visits_ended > 0 then bounds.p50_ended_days_upper end as p50_ended_days_upper,
            counted.p50_open_days_lower,
            case when isfinite(open_upper) then open_upper end as p50_open_days_upper,
            {{
                told(
                    "(counted.p50_open_days_lower + p50_open_days_upper) / 2",
                    "counted.p50_open_days_lower",
                    "p50_open_days_upper",
                )
            }} as p50_open_days
        from counted
        left join survival using (provider, account, stage)
        left join bounds using (provider, account, stage)
    )

select *
from final
order by provider, account, stage
