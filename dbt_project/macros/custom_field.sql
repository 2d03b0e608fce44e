{#- The text of one of the customer's own fields, of which the setting `variable` is the name; null where it
    is not set. Custom fields are null in masked files, and so is what is read of them. -#}
{% macro custom_field(variable, custom_fields) -%}
    {%- set name = env_var(variable, "") | replace("'", "''") -%}
    {%- if name -%} {{ custom_fields }} ->> '$."{{ name }}"'
    {%- else -%} cast(null as varchar)
    {%- endif -%}
{%- endmacro %}

{#- The same as a number; null where it is none. -#}
{% macro custom_number(variable, custom_fields) -%}
    {%- set number = "try_cast(" ~ custom_field(variable, custom_fields) ~ " as double)" -%}
    case when isfinite({{ number }}) then {{ number }} end
{%- endmacro %}
