-- Each returned row is a group with a rate that is not between 0 and 1, or that is null although
-- there is something to divide by, or the other way round.
{{ config(meta={"dagster": {"ref": {"name": "funnel_by_cohort"}}}) }}
{% set rates = [
    ("funnel_by_cohort", "engaged_rate", "leads_watched"),
    ("funnel_by_cohort", "engaged_rate_upper", "leads_watched"),
    ("funnel_by_cohort", "qualified_rate", "leads_watched"),
    ("funnel_by_cohort", "booked_rate", "leads_watched"),
    ("funnel_by_cohort", "won_rate", "leads_watched"),
    ("funnel_by_cohort", "lost_rate", "leads_watched"),
    ("funnel_by_cohort", "engaged_to_qualified_rate", "reached_engaged"),
    ("funnel_by_cohort", "engaged_to_qualified_rate_lower", "reached_engaged_upper"),
    ("funnel_by_cohort", "engaged_to_qualified_rate_upper", "reached_engaged_upper"),
    ("funnel_by_cohort", "qualified_to_booked_rate", "reached_qualified"),
    ("funnel_by_cohort", "booked_to_won_rate", "reached_booked"),
    ("source_performance", "qualified_rate", "leads_watched"),
    ("source_performance", "booked_rate", "leads_watched"),
    ("source_performance", "won_rate", "leads_watched"),
    ("source_performance", "win_rate", "leads_won + leads_lost"),
    ("speed_to_lead", "responded_rate", "leads_watched"),
    ("speed_to_lead", "responded_rate_upper", "leads_watched"),
    ("speed_to_lead", "within_24_hours_rate", "leads_due"),
    ("speed_to_lead", "within_24_hours_rate_upper", "leads_due"),
    ("owner_performance", "qualified_rate", "leads_watched"),
    ("owner_performance", "booked_rate", "leads_watched"),
    ("owner_performance", "win_rate", "leads_won + leads_lost"),
] %}
with

    divided as (
        {% for mart, rate_column, divisor in rates %}
            select
                '{{ mart }}.{{ rate_column }}' as metric,
                {{ rate_column }} as rate,
                {{ divisor }} as divisor
            from {{ ref(mart) }}
            {% if not loop.last %}
                union all
            {% endif %}
        {% endfor %}
    )

select metric, rate, divisor
from divided
where (divisor = 0) <> (rate is null) or not (rate between 0 and 1)
