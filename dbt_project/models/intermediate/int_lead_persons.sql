-- Leads that share an identifier are one person, and so are leads that are joined through
-- others. Each lead takes over the smallest key among its neighbours until nothing changes:
-- the connected components. Each identifier is a star around its smallest lead, so the work
-- grows with the leads, not with their pairs.
{{ config(materialized="table") }}
with recursive

    identifiers as (select * from {{ ref("int_person_identifiers") }}),

    rays as (
        select lead_key, min(lead_key) over (partition by kind, identifier) as centre_key
        from identifiers
    ),

    links as (
        select lead_key as from_key, centre_key as to_key
        from rays
        where lead_key <> centre_key
        union
        select centre_key as from_key, lead_key as to_key
        from rays
        where lead_key <> centre_key
    ),

    persons(lead_key, person_key)
using
    key(lead_key) as (
        select lead_key, lead_key as person_key
        from {{ ref("stg_leads") }}
        union
        select links.to_key as lead_key, min(persons.person_key) as person_key
        from persons
        join links on links.from_key = persons.lead_key
        join recurring.persons as known on known.lead_key = links.to_key
        where persons.person_key < known.person_key
        group by links.to_key
    )

select lead_key, person_key
from persons
