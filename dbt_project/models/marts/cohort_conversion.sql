{% set stages = ["engaged", "qualified", "booked", "won", "lost"] %}
with

    leads as (select * from {{ ref("lead_facts") }} where created_at is not null),

    horizons as (select * from {{ ref("int_account_horizons") }}),

    ages as (select unnest(cast([7, 14, 30, 90] as bigint[])) as age_days),

    aged as (
        select
            leads.provider,
            leads.account,
            leads.source,
            leads.created_week,
            leads.created_month,
            leads.is_watched,
            ages.age_days,
            {% for stage in stages %}
                {% set moment = "lost" if stage == "lost" else "reached_" ~ stage %}
                leads.{{ moment }}_at
                <= leads.created_at + to_days(cast(ages.age_days as integer)) as had_{{ stage }},
                -- Nobody has to have seen it.
                least(leads.{{ moment }}_at, leads.{{ moment }}_after, leads.hides_after)
                <= leads.created_at
                + to_days(cast(ages.age_days as integer)) as can_have_{{ stage }},
            {% endfor %}
        from leads
        cross join ages
    ),

    counted as (
        select
            case when grouping(created_week) = 0 then 'week' else 'month' end as grain,
            coalesce(created_week, created_month) as cohort_starts_on,
            provider,
            account,
            source,
            age_days,
            count(*) as leads,
            count(*) filter (where is_watched) as leads_watched,
            {% for stage in stages %}
                count(*) filter (where is_watched and had_{{ stage }}) as reached_{{ stage }},
                count(*) filter (
                    where is_watched and can_have_{{ stage }}
                ) as reached_{{ stage }}_upper,
            {% endfor %}
        from aged
        group by
            grouping sets (
                (created_week, provider, account, source, age_days),
                (created_month, provider, account, source, age_days)
            )
    ),

    dated as (
        select
            counted.*,
            case
                when grain = 'week'
                then cohort_starts_on + 7
                else cast(cohort_starts_on + interval 1 month as date)
            end as cohort_ends_before,
            coalesce(
                cohort_ends_before + cast(age_days as integer) <= horizons.last_proven_day + 1,
                false
            ) as is_ripe
        from counted
        left join horizons using (account)
    ),

    final as (
        select
            grain,
            cohort_starts_on,
            provider,
            account,
            source,
            age_days,
            is_ripe,
            leads,
            leads_watched,
            {% for stage in stages %}
                {% for suffix in ["", "_upper"] %}
                    case
                        when is_ripe then dated.reached_{{ stage }}{{ suffix }}
                    end as reached_{{ stage }}{{ suffix }},
                {% endfor %}
            {% endfor %}
            {% for stage in stages %}
                {% for suffix in ["", "_upper"] %}
                    case
                        when is_ripe
                        then {{ rate("dated.reached_" ~ stage ~ suffix, "leads_watched") }}
                    end as {{ stage }}_rate{{ suffix }},
                {% endfor %}
            {% endfor %}
        from dated
    )

select *
from final
order by grain, cohort_starts_on, provider, account, source, age_days
