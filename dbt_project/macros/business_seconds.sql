{#- Working time, measured in `internal.working_time`. A moment is looked up by an ASOF join of its own,
    which stays fast with a million leads:

      select {{ business_seconds_between("created_at", "created", "response_at", "responded") }}
      from leads
      {{ join_working_time("created_at", "created") }}
      {{ join_working_time("response_at", "responded") }}

    Null where no working hours are set, where a moment is null, and where it lies outside of the
    calendar. -#}
{% macro join_working_time(moment, alias) -%}
    asof left join
        {{ source("internal", "working_time") }} as {{ alias }}
        on {{ moment }} >= {{ alias }}.starts_at
{%- endmacro %}

{#- Whole seconds of working time from one moment to a later one, never negative. -#}
{% macro business_seconds_between(start, start_alias, end, end_alias) -%}
    {%- set worked = (
        "("
        ~ worked_microseconds(end, end_alias)
        ~ " - ("
        ~ worked_microseconds(start, start_alias)
        ~ "))"
    ) -%}
    case
        when {{ worked }} >= 0
        then cast(floor({{ worked }} / 1000000) as bigint)
        when {{ worked }} < 0
        then 0
    end
{%- endmacro %}

{#- Working time from the beginning of the calendar to the moment, for which it was joined as `alias`. -#}
{% macro worked_microseconds(moment, alias) -%}
    {{ alias }}.seconds_before * 1000000
    + least(epoch_us({{ moment }}), epoch_us({{ alias }}.ends_at))
    - epoch_us({{ alias }}.starts_at)
{%- endmacro %}
