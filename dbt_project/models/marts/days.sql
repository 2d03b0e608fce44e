-- MetricFlow's time spine, and what "yesterday" means: the last day that any account's data
-- reaches to its
-- end.
with

    horizons as (select * from {{ ref("int_account_horizons") }}),

    created as (select min(created_day) as first_created_day from {{ ref("lead_facts") }}),

    reach as (
        select
            -- A provider can have a lead of 1970; days before that help nobody.
            least(
                greatest(
                    any_value(created.first_created_day),
                    max(horizons.last_day) - {{ var("days_back_limit") }}
                ),
                min(horizons.first_day),
                max(horizons.last_day)
            ) as first_day,
            max(horizons.last_day) as last_day,
            max(horizons.last_proven_day) as last_whole_day
        from horizons
        cross join created
    ),

    days as (
        select
            cast(unnest(range(first_day, last_day + 1, interval 1 day)) as date) as date_day,
            last_whole_day
        from reach
    ),

    final as (
        select
            date_day,
            cast(date_trunc('week', date_day) as date) as date_week,
            cast(date_trunc('month', date_day) as date) as date_month,
            coalesce(date_day <= last_whole_day, false) as is_whole,
            cast(last_whole_day - date_day as bigint) as days_back
        from days
    )

select *
from final
order by date_day
