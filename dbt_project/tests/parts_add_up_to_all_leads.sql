-- Each returned row is a mart whose groups together do not count every lead exactly once.
{{ config(meta={"dagster": {"ref": {"name": "lead_facts"}}}) }}
{% set marts = [
    "funnel_by_cohort",
    "source_performance",
    "speed_to_lead",
    "owner_performance",
    "people",
] %}
with

    counted as (
        {% for mart in marts %}
            select '{{ mart }}' as mart, coalesce(sum(leads), 0) as leads_counted
            from {{ ref(mart) }}
            {% if not loop.last %}
                union all
            {% endif %}
        {% endfor %}
    ),

    all_leads as (select count(*) as leads from {{ ref("lead_facts") }})

select mart, leads_counted, leads
from counted
cross join all_leads
where leads_counted <> leads
