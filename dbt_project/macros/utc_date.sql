{#- The UTC day of a timestamp, whatever time zone the session is in. -#}
{% macro utc_date(timestamp_column) -%}
    cast({{ timestamp_column }} at time zone 'UTC' as date)
{%- endmacro %}
