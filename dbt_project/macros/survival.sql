{#- Survival estimates (Kaplan and Meier) of the lengths in the relation `spans`: a query with one row
    for each value of `keys`, columns of `spans`. Its other columns:

      shortest, middle, longest  bounds of a length, and the moment halfway
      entry        how long it had lasted when it came under watch; 0 for most (left truncation)
      is_ended     else it goes on after `longest` (right censoring)
      is_possible  nobody saw it, so that it may be none; it counts in the bounds alone

    Columns of the result: p50, the shortest length that at most half of the spans exceed, and p90,
    that at most a tenth do; each with _lower and _upper, between which lies what exact lengths would
    give (interval censoring). For the lower bound each span ends as early as it can, among as few
    others as can be left by then; for the upper one as late as it can, among as many. An upper bound
    that is null is none: too few have ended. Where the bounds are wider than the estimate, or one is
    missing, the estimate is null.

    Rows of a frame are counted by count(nullif(…, false)): with a filter, DuckDB counts each frame from its
    beginning, which takes the square of the rows.

    Lindsey and Ryan, Methods for interval-censored data, Statistics in Medicine 17 (1998). -#}
{% macro survival(spans, keys) %}
    {%- set group = keys | join(", ") -%}
    with

        numbered as (
            -- Of those that can have ended at once, what must have comes last, and what nobody
            -- saw after it:
            -- so the lower curve counts as few and the upper one as many as can be left. What is
            -- equal in
            -- all of it may change places.
            select
                *,
                row_number() over (
                    partition by {{ group }}
                    order by shortest, longest desc, is_possible, is_ended, entry
                ) as span_number
            from {{ spans }}
        ),

        -- What a curve takes for the end of a span, for how long others last, when it asks who is
        -- left.
        assumed as (
            select
                *,
                'lower' as curve,
                shortest as ends,
                shortest as lasts,
                longest as asks_left,
                shortest as asks_entered
            from numbered
            union all
            select
                *,
                'middle' as curve,
                middle as ends,
                middle as lasts,
                middle as asks_left,
                middle as asks_entered
            from numbered
            union all
            select
                *,
                'upper' as curve,
                longest as ends,
                longest as lasts,
                shortest as asks_left,
                longest as asks_entered
            from numbered
        ),

        -- The fewest are left where also what nobody saw has ended.
        ends as (select * from assumed where is_ended and (not is_possible or curve = 'lower')),

        lasting as (
            select
                {{ group }},
                curve,
                span_number,
                true as is_end,
                asks_left as length,
                false as goes_on
            from ends
            union all
            select
                {{ group }},
                curve,
                span_number,
                false as is_end,
                lasts as length,
                not is_ended as goes_on
            from assumed
            where not is_possible or curve = 'upper'
        ),

        left_over as (
            select
                *,
                count(nullif(not is_end, false)) over (
                    partition by {{ group }}, curve
                    order by length desc, goes_on desc, span_number desc, is_end desc
                    rows between unbounded preceding and current row
                ) as spans_left
            from lasting
        ),

        entering as (
            select {{ group }}, curve, span_number, true as is_end, asks_entered as length
            from ends
            union all
            select {{ group }}, curve, span_number, false as is_end, entry as length
            from assumed
            where entry > 0
        ),

        not_entered as (
            select
                *,
                count(nullif(not is_end, false)) over (
                    partition by {{ group }}, curve
                    order by length desc, is_end
                    rows between unbounded preceding and current row
                ) as spans_outside
            from entering
        ),

        at_risk as (
            select
                {{ group }},
                curve,
                span_number,
                ends.ends as length,
                -- The span itself, where it is not among those that last longer.
                greatest(
                    spans_left - spans_outside + cast(ends.lasts <= ends.asks_left as integer), 1
                ) as spans_at_risk
            from ends
            join left_over using ({{ group }}, curve, span_number)
            join not_entered using ({{ group }}, curve, span_number)
            where left_over.is_end and not_entered.is_end
        ),

        counted as (
            select
                {{ group }},
                count(*) filter (where not is_possible) as spans_seen,
                count(*) filter (where not is_possible and is_ended) as spans_ended,
                count(*) filter (where entry > 0) as spans_late,
                count(*) filter (where is_possible) as spans_possible
            from numbered
            group by {{ group }}
        ),

        points as (
            select
                {{ group }},
                curve,
                length,
                span_number,
                1 - 1.0 / spans_at_risk as share_kept,
                true as is_end
            from at_risk
            union all
            -- What nobody saw was over by then, at the latest.
            select
                {{ group }},
                'upper' as curve,
                longest as length,
                span_number,
                1 as share_kept,
                false as is_end
            from numbered
            where is_possible
        ),

        running as (
            select
                *,
                product(share_kept) over so_far as kaplan_meier,
                count(nullif(is_end, false)) over so_far as spans_over,
                count(nullif(not is_end, false)) over so_far as possible_over
            from points
            window
                so_far as (
                    partition by {{ group }}, curve
                    order by length, span_number
                    rows between unbounded preceding and current row
                )
        ),

        -- Beside the product, the share of all that are over by then: whoever goes on is last
        -- among all, or left out. Where nobody goes on, the two are one.
        curves as (
            select
                running.*,
                case
                    curve
                    when 'middle'
                    then kaplan_meier
                    when 'lower'
                    then
                        greatest(
                            kaplan_meier,
                            case
                                when spans_late = 0
                                then 1 - spans_over / cast(spans_ended + spans_possible as double)
                            end
                        )
                    else
                        least(
                            kaplan_meier,
                            1
                            - spans_over
                            / nullif(cast(spans_seen + spans_possible - possible_over as double), 0)
                        )
                end as share_left
            from running
            left join counted using ({{ group }})
        ),

        quantiles as (
            select
                {{ group }},
                {% for name, share in [("p50", 0.5), ("p90", 0.1)] %}
                    {% for curve in ["lower", "middle", "upper"] %}
                        -- Products of shares are not exact.
                        min(length) filter (
                            where curve = '{{ curve }}' and share_left <= {{ share }} + 1e-9
                        ) as {{ name }}_{{ curve }},
                    {% endfor %}
                {% endfor %}
            from curves
            group by {{ group }}
        )

    select
        {{ group }},
        {% for name in ["p50", "p90"] %}
            {{
                told(
                    "least(greatest("
                    ~ name
                    ~ "_middle, "
                    ~ name
                    ~ "_lower), "
                    ~ name
                    ~ "_upper)",
                    name ~ "_lower",
                    name ~ "_upper",
                )
            }} as {{ name }}, {{ name }}_lower, {{ name }}_upper,
        {% endfor %}
    from quantiles
{% endmacro %}
