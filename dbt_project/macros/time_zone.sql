{#- The time zone of days, which the file that is read says (`meta.calendar`): asked while a model is
    compiled, so that it is a constant in its SQL, and another zone needs no other parse.
    Unit tests are about UTC, whatever file they run beside. -#}
{% macro time_zone() -%}
    {%- if not execute or model.resource_type == "unit_test" -%} utc
    {%- else -%}
        {%- set file = "snapshot" if target.name == "dev" else target.database -%}
        {{- run_query("select time_zone from " ~ file ~ ".meta.calendar").rows[0][0] -}}
    {%- endif -%}
{%- endmacro %}
