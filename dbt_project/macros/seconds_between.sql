{#- Whole seconds from one moment to a later one, never negative; null where one is unknown.
    Counted in microseconds: DuckDB's own difference of moments looks at milliseconds only. -#}
{% macro seconds_between(start_column, end_column) -%}
    case
        when {{ start_column }} is not null and {{ end_column }} is not null
        then
            cast(
                floor(
                    greatest(epoch_us({{ end_column }}) - epoch_us({{ start_column }}), 0) / 1000000
                ) as bigint
            )
    end
{%- endmacro %}
