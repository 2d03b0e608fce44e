{#- Each returned row is a combination of `columns` that more than one row has. -#}
{% test unique_together(model, columns) %}
    select {{ columns | join(", ") }}, count(*) as duplicates
    from {{ model }}
    group by {{ columns | join(", ") }}
    having count(*) > 1
{% endtest %}
