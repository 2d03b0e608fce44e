{#- What leads without an owner, or a source, are counted under, so that parts add up to the whole. -#}
{% macro known_source(source) -%}
    coalesce(nullif(trim({{ source }}), ''), 'unknown')
{%- endmacro %}

{% macro known_owner_name(owner_id, owner_name) -%}
    case when {{ owner_id }} is null then 'unassigned' else {{ owner_name }} end
{%- endmacro %}

{% macro owner_key(account, owner_id) -%}
    {{ account }} || ':' || coalesce({{ owner_id }}, 'unassigned')
{%- endmacro %}
