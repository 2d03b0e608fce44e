{#- The day of a moment in the time zone of the file, whatever time zone the session is in. -#}
{% macro local_date(moment) -%}
    cast({{ moment }} at time zone '{{ time_zone() }}' as date)
{%- endmacro %}

{#- The Monday of that day's week. -#}
{% macro local_week(moment) -%}
    cast(date_trunc('week', {{ local_date(moment) }}) as date)
{%- endmacro %}

{#- The first of that day's month. -#}
{% macro local_month(moment) -%}
    cast(date_trunc('month', {{ local_date(moment) }}) as date)
{%- endmacro %}
