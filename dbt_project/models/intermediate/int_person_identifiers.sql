-- What a lead's address and number say of who it is. Addresses that several people read and
-- numbers of switchboards show themselves by their form, by extensions, or by too many names or
-- identifiers that come with them. A table, since three models read it.
{{ config(materialized="table") }}
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
            full_name
        from {{ ref("stg_leads") }}
    ),

    -- Only what several leads have is looked at for names and other identifiers, which are then
    -- told apart: most addresses and numbers are one lead's.
    shared_emails as (
        select email_normalized
        from leads
        where email_normalized is not null
        group by email_normalized
        having count(*) > 1
    ),

    crowds_of_emails as (
        select
            email_normalized,
            greatest(
                count(distinct phone_line), count(distinct {{ folded_name("full_name") }})
            ) as identities
        from leads
        semi join shared_emails using (email_normalized)
        group by email_normalized
    ),

    emails as (
        select
            leads.lead_key,
            'email' as identifier_type,
            leads.email_normalized as identifier,
            crowds.email_normalized is not null as is_shared,
            case
                when
                    leads.mailbox in ('{{ var("person_placeholder_mailboxes") | join("', '") }}')
                    or leads.domain in ('{{ var("person_placeholder_domains") | join("', '") }}')
                then 'placeholder'
                when
                    leads.mailbox in ('{{ var("person_shared_mailboxes") | join("', '") }}')
                    or coalesce(crowds.identities, 1) > {{ var("person_max_identities") }}
                then 'shared_mailbox'
                else 'own_email'
            end as identifier_kind,
            true as joins_without_name
        from leads
        left join crowds_of_emails as crowds using (email_normalized)
        where leads.email_normalized is not null
    ),

    switchboards as (
        select distinct phone_e164 as phone_line from leads where phone_extension is not null
    ),

    lines as (
        select phone_line, any_value(phone_type) as phone_type, count(*) > 1 as is_shared
        from leads
        where phone_line is not null
        group by phone_line
    ),

    crowds_of_lines as (
        select
            phone_line,
            count(distinct email_normalized) as emails,
            count(distinct {{ folded_name("full_name") }}) as names
        from leads
        semi join (select phone_line from lines where is_shared) using (phone_line)
        group by phone_line
    ),

    phones as (
        select
            leads.lead_key,
            'phone' as identifier_type,
            leads.phone_line as identifier,
            lines.is_shared,
            case
                when
                    switchboards.phone_line is not null
                    or lines.phone_type
                    in ('toll_free', 'premium_rate', 'shared_cost', 'uan', 'voicemail', 'pager')
                    or coalesce(greatest(crowds.emails, crowds.names), 1)
                    > {{ var("person_max_identities") }}
                then 'switchboard'
                when lines.phone_type = 'mobile' and leads.phone_extension is null
                then 'mobile'
                else 'phone'
            end as identifier_kind,
            -- Two names at one number are two people who share it, as far as anybody knows.
            coalesce(crowds.names, 1) <= 1 as joins_without_name
        from leads
        join lines using (phone_line)
        left join crowds_of_lines as crowds using (phone_line)
        left join switchboards using (phone_line)
    ),

    identifiers as (
        select *
        from emails
        union all by name
        select *
        from phones
    ),

    final as (
        select
            identifiers.lead_key,
            identifiers.identifier_type,
            identifiers.identifier,
            identifiers.is_shared,
            identifiers.identifier_kind,
            identifiers.joins_without_name,
            coalesce(strengths.strength, 0) as strength
        from identifiers
        left join {{ ref("identifier_strengths") }} as strengths using (identifier_kind)
    )

select *
from final
