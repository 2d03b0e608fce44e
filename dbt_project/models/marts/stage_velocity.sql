-- Quantiles grow with each of their values. So the quantile of the shortest possible lengths
-- and that of the longest possible ones have the true quantile between them.
with

    visits as (
        select
            *,
            not is_current and max_seconds_in_stage is not null as is_measured,
            {{ days_of("seconds_in_stage") }} as days,
            {{ days_of("min_seconds_in_stage") }} as min_days,
            {{ days_of("max_seconds_in_stage") }} as max_days
        from {{ ref("int_lead_visit_lengths") }}
    ),

    final as (
        select
            provider,
            account,
            stage,
            count(*) filter (where is_measured) as visits_measured,
            count(*) filter (where not is_current and not is_measured) as visits_of_unknown_start,
            count(*) filter (where is_current) as visits_open,
            quantile_cont(days, 0.5) filter (where is_measured) as p50_days,
            quantile_cont(min_days, 0.5) filter (where is_measured) as p50_days_lower,
            quantile_cont(max_days, 0.5) filter (where is_measured) as p50_days_upper,
            quantile_cont(days, 0.9) filter (where is_measured) as p90_days,
            quantile_cont(min_days, 0.9) filter (where is_measured) as p90_days_lower,
            quantile_cont(max_days, 0.9) filter (where is_measured) as p90_days_upper,
            avg(days) filter (where is_measured) as mean_days,
            avg(min_days) filter (where is_measured) as mean_days_lower,
            avg(max_days) filter (where is_measured) as mean_days_upper,
            quantile_cont(days, 0.5) filter (where is_current) as p50_open_days
        from visits
        group by provider, account, stage
    )

select *
from final
order by provider, account, stage
