{#- Whole seconds from one moment to a later one, never negative; null where one is unknown. -#}
{% macro seconds_between(start_column, end_column) -%}
    case
        when {{ start_column }} is not null and {{ end_column }} is not null
        then greatest(date_sub('second', {{ start_column }}, {{ end_column }}), 0)
    end
{%- endmacro %}
