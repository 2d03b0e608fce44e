-- Which two leads may be one person, and how much says so: leads with the same address, number,
-- or both, with a same name counted on top. All leads that share the same are linked to the
-- smallest of them, so the work grows with the leads, not with their pairs.
{{ config(materialized="table") }}
with

    -- What no other lead has links nobody: few leads are left.
    identifiers as (
        select * from {{ ref("int_person_identifiers") }} where is_shared and strength > 0
    ),

    identified as (
        select
            leads.lead_key,
            {{ folded_name("leads.full_name") }} as name,
            emails.identifier as email,
            emails.identifier_kind as email_kind,
            emails.strength as email_strength,
            phones.identifier as phone,
            phones.identifier_kind as phone_kind,
            phones.strength as phone_strength,
            phones.joins_without_name as phone_joins_without_name
        from {{ ref("stg_leads") }} as leads
        left join
            identifiers as emails
            on emails.lead_key = leads.lead_key
            and emails.identifier_type = 'email'
        left join
            identifiers as phones
            on phones.lead_key = leads.lead_key
            and phones.identifier_type = 'phone'
        where coalesce(emails.identifier, phones.identifier) is not null
    ),

    -- What two leads may share: (the address, the number, the name).
    shared(has_email, has_phone, has_name) as (
        values
            (true, true, true),
            (true, false, true),
            (false, true, true),
            (true, true, false),
            (true, false, false),
            (false, true, false)
    ),

    keyed as (
        select
            identified.lead_key,
            case when has_email then email end as email,
            case when has_phone then phone end as phone,
            case when has_name then name end as name,
            concat_ws(
                ' and ',
                case when has_email then email_kind end,
                case when has_phone then phone_kind end
            ) as identifier_kind,
            case when has_email then email_strength else 0 end
            + case when has_phone then phone_strength else 0 end
            + case when has_name then coalesce(of_name.strength, 0) else 0 end as strength
        from identified
        join
            shared
            on (email is not null or not has_email)
            and (phone is not null or not has_phone)
            and (name is not null or not has_name)
            and (has_email or has_name or phone_joins_without_name)
        left join
            {{ ref("identifier_strengths") }} as of_name on of_name.identifier_kind = 'same_name'
    ),

    linked as (
        select *, min(lead_key) over (partition by email, phone, name) as other_lead_key from keyed
    ),

    final as (
        select
            lead_key,
            other_lead_key,
            arg_max(identifier_kind, (strength, identifier_kind)) as identifier_kind,
            arg_max(name is not null, (strength, identifier_kind)) as is_same_name,
            max(strength) as strength
        from linked
        where lead_key <> other_lead_key
        group by lead_key, other_lead_key
    )

select *
from final
