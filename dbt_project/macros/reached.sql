{#- How many of the watched leads were seen in a stage or beyond, and how many can have been there: a lead
    that changed between two polls can have been in any stage without being seen. -#}
{% macro reached(stages) %}
    {% for stage in stages %}
        count(*) filter (where is_watched and has_reached_{{ stage }}) as reached_{{ stage }},
        count(*) filter (
            where is_watched and (has_reached_{{ stage }} or can_hide_stages)
        ) as reached_{{ stage }}_upper,
    {% endfor %}
{% endmacro %}

{#- The shares of the watched leads that were seen in each stage or beyond, and that can have been. -#}
{% macro reached_rates(stages) %}
    {% for stage in stages %}
        {{ rate("reached_" ~ stage, "leads_watched") }} as {{ stage }}_rate,
        {{ rate("reached_" ~ stage ~ "_upper", "leads_watched") }} as {{ stage }}_rate_upper,
    {% endfor %}
{% endmacro %}
