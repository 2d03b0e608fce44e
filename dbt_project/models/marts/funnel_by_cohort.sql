{% set stages = ["engaged", "qualified", "booked", "won", "lost"] %}
{% set steps = [("engaged", "qualified"), ("qualified", "booked"), ("booked", "won")] %}
with

    lead_facts as (select * from {{ ref("lead_facts") }}),

    counted as (
        select
            created_week as cohort_week,
            source,
            provider,
            count(*) as leads,
            count(*) filter (where is_missing) as leads_missing,
            count(*) filter (where is_watched) as leads_watched,
            {{ reached(stages) }}
            {{ whole_days("min(age_seconds)") }} as observed_days
        from lead_facts
        group by created_week, source, provider
    ),

    final as (
        select
            *,
            {{ reached_rates(stages) }}
            {% for earlier, later in steps %}
                {{ rate("reached_" ~ later, "reached_" ~ earlier) }}
                as {{ earlier }}_to_{{ later }}_rate,
                {{ rate("reached_" ~ later, "reached_" ~ earlier ~ "_upper") }}
                as {{ earlier }}_to_{{ later }}_rate_lower,
                case
                    when reached_{{ earlier }}_upper > 0
                    then
                        least(
                            coalesce(
                                {{ rate("reached_" ~ later ~ "_upper", "reached_" ~ earlier) }}, 1
                            ),
                            1
                        )
                end as {{ earlier }}_to_{{ later }}_rate_upper,
            {% endfor %}
        from counted
    )

select *
from final
order by cohort_week, source, provider
