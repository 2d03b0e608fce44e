{#- How far along the path from a new lead to a won one a stage lies; null beside the path. -#}
{% macro stage_rank(stage_column) -%}
    case
        {{ stage_column }}
        when 'new'
        then 1
        when 'engaged'
        then 2
        when 'qualified'
        then 3
        when 'booked'
        then 4
        when 'won'
        then 5
    end
{%- endmacro %}
