{#- What days and working time are, which the file that is read says (`meta.calendar`): asked while a model
    is compiled, so that it is a constant in its SQL, and another calendar needs no other parse. -#}
{% macro asked_of_calendar(expression) -%}
    {%- set file = "snapshot" if target.name == "dev" else target.database -%}
    {%- do return(
        run_query("select " ~ expression ~ " from " ~ file ~ ".meta.calendar").rows[0][0]
    ) -%}
{%- endmacro %}

{#- The time zone of days. Unit tests are about UTC, whatever file they run beside. -#}
{% macro time_zone() -%}
    {%- set is_known = execute and model.resource_type != "unit_test" -%}
    {%- do return(asked_of_calendar("time_zone") if is_known else "UTC") -%}
{%- endmacro %}

{#- Whether somebody has said when people work; unit tests bring their own hours. -#}
{% macro has_working_hours() -%}
    {%- set is_known = execute and model.resource_type != "unit_test" -%}
    {%- do return(asked_of_calendar("working_hours is not null") if is_known else true) -%}
{%- endmacro %}
