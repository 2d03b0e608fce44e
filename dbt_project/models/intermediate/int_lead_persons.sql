-- Which person a lead is. At each strength, leads that are linked by it or by more make groups: the
-- connected components. They nest, and a lead's person is the widest of its groups that is within
-- the limits. So a group beyond them loses its weakest links first, all of the same strength at
-- once, and the result depends on no order of rows.
--
-- Components: each lead takes over the smallest number among its neighbours, and tells the one
-- whose number it had, until nothing changes. Numbers that are passed on twice as far each time
-- keep the rounds few: about 25 for a chain of 200,000 leads.
{{ config(materialized="table") }}
with recursive

    leads as (
        select lead_key, row_number() over (order by lead_key) as lead_number, full_name
        from {{ ref("stg_leads") }}
    ),

    links as (
        select leads.lead_number, others.lead_number as other_number, person_links.strength
        from {{ ref("int_person_links") }} as person_links
        join leads using (lead_key)
        join leads as others on others.lead_key = person_links.other_lead_key
    ),

    strengths as (select distinct strength as at_least from links),

    ends as materialized(
        select at_least, lead_number as from_number, other_number as to_number
        from links
        join strengths on strengths.at_least <= links.strength
        union all
        select at_least, other_number as from_number, lead_number as to_number
        from links
        join strengths on strengths.at_least <= links.strength
    ),

    rounds as (
        select distinct
            at_least, from_number as lead_number, from_number as group_number, true as has_changed
        from ends
        union all
        select at_least, lead_number, group_number, has_changed
        from
            (
                select
                    at_least,
                    lead_number,
                    min(group_number) as group_number,
                    bool_or(min(group_number) < max(group_number) filter (where is_own)) over (
                    ) as has_changed
                from
                    (
                        select at_least, lead_number, group_number, true as is_own
                        from rounds
                        union all
                        select at_least, ends.to_number, rounds.group_number, false
                        from rounds
                        join ends using (at_least)
                        where ends.from_number = rounds.lead_number
                        union all
                        select at_least, rounds.lead_number, parents.group_number, false
                        from rounds
                        join rounds as parents using (at_least)
                        where parents.lead_number = rounds.group_number
                        union all
                        select at_least, rounds.group_number, neighbours.group_number, false
                        from rounds
                        join ends using (at_least)
                        join rounds as neighbours using (at_least)
                        where
                            ends.from_number = rounds.lead_number
                            and neighbours.lead_number = ends.to_number
                    )
                group by at_least, lead_number
            )
        where has_changed
    ),

    -- Numbers only fall, so the smallest is the last.
    grouped as (
        select at_least, lead_number, min(group_number) as group_number
        from rounds
        group by at_least, lead_number
    ),

    within_limits as (
        select grouped.at_least, grouped.group_number
        from grouped
        join leads using (lead_number)
        left join
            {{ ref("int_person_identifiers") }} as identifiers
            on identifiers.lead_key = leads.lead_key
            and identifiers.strength > 0
        group by grouped.at_least, grouped.group_number
        having
            count(distinct {{ folded_name("leads.full_name") }})
            <= {{ var("person_max_identities") }}
            and count(distinct identifiers.identifier) <= {{ var("person_max_identifiers") }}
    ),

    widest as (
        select grouped.lead_number, arg_min(grouped.group_number, grouped.at_least) as group_number
        from grouped
        join within_limits using (at_least, group_number)
        group by grouped.lead_number
    )

select leads.lead_key, coalesce(firsts.lead_key, leads.lead_key) as person_key
from leads
left join widest using (lead_number)
left join leads as firsts on firsts.lead_number = widest.group_number
