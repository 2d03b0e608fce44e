{#- What lead_daily_history must forget before new days are added to it: every lead whose
    history is not the one that its rows came from, that is gone, or that has other days than
    it should (a digest tells the history, the first day and the number of days the rest); and
    days outside of the window. Computing them again is then the same as appending. -#}
{% macro forget_changed_days() -%}
    {%- if is_incremental() -%}
        {%- set digests = adapter.get_relation(
            database=this.database, schema="meta", identifier="lead_history_digests"
        ) -%}
        delete from {{ this }}
        where
            lead_key not in (
                {%- if digests is none %}select null where false
                {%- else %}
                    with

                        wanted as (
                            select
                                lead_key,
                                any_value(history_digest) as history_digest,
                                min(first_day) as first_day
                            from {{ ref("int_lead_day_segments") }}
                            group by lead_key
                        ),

                        present as (
                            select
                                lead_key,
                                min(date_day) as first_day,
                                max(date_day) - min(date_day) + 1 = count(*) as has_no_gap
                            from {{ this }}
                            group by lead_key
                        )

                    select wanted.lead_key
                    from wanted
                    join {{ digests }} as digests using (lead_key, history_digest)
                    join present using (lead_key)
                    where present.first_day <= wanted.first_day and present.has_no_gap
                {%- endif %}
            )
    {%- endif -%}
{%- endmacro %}

{#- Days that lie outside of the window; the window moves with the account's data. -#}
{% macro forget_days_outside() -%}
    {%- if is_incremental() -%}
        delete from {{ this }} as days
        using {{ ref("int_account_horizons") }} as horizons
        where
            days.account = horizons.account
            and days.date_day not between horizons.first_day
            and horizons.last_day
    {%- endif -%}
{%- endmacro %}
