{#- A part of a whole, between 0 and 1; null where the whole is zero. -#}
{% macro rate(part, whole) -%} {{ part }} / nullif(cast({{ whole }} as double), 0) {%- endmacro %}
