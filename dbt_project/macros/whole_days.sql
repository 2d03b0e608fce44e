{#- Seconds as whole days, the rest cut off. -#}
{% macro whole_days(seconds) -%} cast(floor({{ seconds }} / 86400) as bigint) {%- endmacro %}
