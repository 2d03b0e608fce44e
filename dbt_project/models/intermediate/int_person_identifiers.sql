-- What a lead's address and number say of who it is. Addresses that several people read and
-- numbers of switchboards show themselves by their form, by extensions, or by too many names or
-- identifiers that come with them.
with

    leads as (
        select
            lead_key,
            email_normalized,
            split_part(split_part(email_normalized, '@', 1), '+', 1) as mailbox,
            split_part(email_normalized, '@', 2) as domain,
            phone_e164,
            phone_extension,
            phone_type,
            phone_e164 || coalesce(';ext=' || phone_extension, '') as phone_line,
            {{ folded_name("full_name") }} as name
        from {{ ref("stg_leads") }}
    ),

    emails as (
        select
            'email' as identifier_type,
            email_normalized as identifier,
            case
                when
                    any_value(mailbox)
                    in ('{{ var("person_placeholder_mailboxes") | join("', '") }}')
                    or any_value(domain)
                    in ('{{ var("person_placeholder_domains") | join("', '") }}')
                then 'placeholder'
                when
                    any_value(mailbox) in ('{{ var("person_shared_mailboxes") | join("', '") }}')
                    or greatest(count(distinct phone_line), count(distinct name))
                    > {{ var("person_max_identities") }}
                then 'shared_mailbox'
                else 'own_email'
            end as identifier_kind,
            true as joins_without_name
        from leads
        where email_normalized is not null
        group by email_normalized
    ),

    switchboards as (
        select distinct phone_e164 as phone_line from leads where phone_extension is not null
    ),

    phones as (
        select
            'phone' as identifier_type,
            leads.phone_line as identifier,
            case
                when
                    bool_or(switchboards.phone_line is not null)
                    or any_value(leads.phone_type)
                    in ('toll_free', 'premium_rate', 'shared_cost', 'uan', 'voicemail', 'pager')
                    or greatest(count(distinct leads.email_normalized), count(distinct leads.name))
                    > {{ var("person_max_identities") }}
                then 'switchboard'
                when
                    any_value(leads.phone_type) = 'mobile'
                    and any_value(leads.phone_extension) is null
                then 'mobile'
                else 'phone'
            end as identifier_kind,
            -- Two names at one number are two people who share it, as far as anybody knows.
            count(distinct leads.name) <= 1 as joins_without_name
        from leads
        left join switchboards using (phone_line)
        where leads.phone_line is not null
        group by leads.phone_line
    ),

    identifiers as (
        select *
        from emails
        union all by name
        select *
        from phones
    ),

    of_leads as (
        select lead_key, 'email' as identifier_type, email_normalized as identifier
        from leads
        union all
        select lead_key, 'phone' as identifier_type, phone_line as identifier
        from leads
    ),

    final as (
        select
            of_leads.lead_key,
            identifiers.identifier_type,
            identifiers.identifier,
            identifiers.identifier_kind,
            identifiers.joins_without_name,
            coalesce(strengths.strength, 0) as strength
        from of_leads
        join identifiers using (identifier_type, identifier)
        left join {{ ref("identifier_strengths") }} as strengths using (identifier_kind)
    )

select *
from final
