{#- The rows of a relation with lengths of working time beside its columns: whole seconds, never negative.
    `lengths` has, by the name of each, the column of the moment from which it is measured and of the one
    to which:

      {{ business_seconds("leads", {"response_business_seconds": ["created_at", "response_at"]}) }}

    Null where no working hours are set, where a moment is null, and where it lies outside of the calendar.
    Each moment is looked up in `internal.working_time` by an ASOF join, which stays fast with a million
    leads; where no hours are set, there is nothing to look up. -#}
{% macro business_seconds(relation, lengths) -%}
    {%- if has_working_hours() -%}
        select
            {{ relation }}.*,
            {% for name, moments in lengths.items() %}
                {%- set worked = (
                    "("
                    ~ worked_microseconds(relation, moments[1])
                    ~ " - ("
                    ~ worked_microseconds(relation, moments[0])
                    ~ "))"
                ) %}
                case
                    when {{ worked }} >= 0
                    then cast(floor({{ worked }} / 1000000) as bigint)
                    when {{ worked }} < 0
                    then 0
                end as {{ name }},
            {% endfor %}
        from {{ relation }}
        {% for moment in lengths.values() | sum(start=[]) | unique %}
            asof left join
                {{ source("internal", "working_time") }} as working_at_{{ moment }}
                on {{ relation }}.{{ moment }} >= working_at_{{ moment }}.starts_at
        {% endfor %}
    {%- else -%}
        select *, {% for name in lengths %} cast(null as bigint) as {{ name }}, {% endfor %}
        from {{ relation }}
    {%- endif -%}
{%- endmacro %}

{#- The rows of a relation, with the moment by which so many seconds (a column) have been worked since
    another one, as `name`. Null as above, and where the calendar ends before. -#}
{% macro business_deadline(relation, moment, seconds, name) -%}
    {%- if has_working_hours() -%}
        select
            due.* exclude (worked_by_then),
            case
                when
                    worked_by_then
                    <= (spent.seconds_before * 1000000)
                    + epoch_us(spent.ends_at)
                    - epoch_us(spent.starts_at)
                then
                    spent.starts_at
                    + to_microseconds(worked_by_then - spent.seconds_before * 1000000)
            end as {{ name }}
        from
            (
                select
                    {{ relation }}.*,
                    {{ worked_microseconds(relation, moment) }}
                    + cast({{ relation }}.{{ seconds }} * 1000000 as bigint) as worked_by_then
                from {{ relation }}
                asof left join
                    {{ source("internal", "working_time") }} as working_at_{{ moment }}
                    on {{ relation }}.{{ moment }} >= working_at_{{ moment }}.starts_at
            ) as due
        asof left join
            (
                select * from {{ source("internal", "working_time") }} where ends_at > starts_at
            ) as spent
            on due.worked_by_then > spent.seconds_before * 1000000
    {%- else -%} select *, cast(null as timestamp with time zone) as {{ name }} from {{ relation }}
    {%- endif -%}
{%- endmacro %}

{#- Working time from the beginning of the calendar to a moment. -#}
{% macro worked_microseconds(relation, moment) -%}
    {%- set working = "working_at_" ~ moment -%}
    {{ working }}.seconds_before * 1000000
    + least(epoch_us({{ relation }}.{{ moment }}), epoch_us({{ working }}.ends_at))
    - epoch_us({{ working }}.starts_at)
{%- endmacro %}
