{#- Seconds as days with a fraction. -#}
{% macro days_of(seconds) -%} {{ seconds }} / 86400.0 {%- endmacro %}
