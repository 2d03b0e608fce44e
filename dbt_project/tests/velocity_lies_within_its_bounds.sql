-- Each returned row is a stage of which a figure is below its lower or above its upper bound, is
-- told
-- although its bounds are wider than it, or has a bound below zero.
{% set figures = ["p50_days", "p90_days", "p50_ended_days", "p50_open_days"] %}
select *
from {{ ref("stage_velocity") }}
where
    {% for figure in figures %}
        not ({{ figure }} between {{ figure }}_lower and {{ figure }}_upper)
        or {{ figure }}_upper < {{ figure }}_lower
        or {{ figure }}_lower < 0
        or {{ figure }}_upper - {{ figure }}_lower > {{ figure }}
        {% if not loop.last %} or {% endif %}
    {% endfor %}
