{#- Schemas are exactly what dbt_project.yml says; dbt's own macro would prefix them. -#}
{% macro generate_schema_name(custom_schema_name, node) -%}
    {{ custom_schema_name or target.schema }}
{%- endmacro %}
