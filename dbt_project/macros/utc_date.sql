{#- What local_date was called; gone when the last model says local_date. -#}
{% macro utc_date(timestamp_column) -%} {{ local_date(timestamp_column) }} {%- endmacro %}
