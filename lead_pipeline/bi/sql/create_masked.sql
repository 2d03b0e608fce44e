-- HMAC-SHA256 (RFC 2104), its first 128 bits as hexadecimal digits: equal values stay equal in all
-- tables and accounts, null stays null, and an empty text says nothing of anybody.
create temporary macro masked(value) as
case
    when value = '' then ''
    else
        left(
            sha256(
                getvariable('outer_pad')
                || unhex(sha256(getvariable('inner_pad') || encode(value::varchar)))
            ),
            32
        )
end;

-- Names that differ in case, accents and spaces only are one name, for the models too
-- (dbt_project/macros/folded_name.sql).
create temporary macro masked_name(value) as
masked(trim(regexp_replace(lower(strip_accents(value)), '\s+', ' ', 'g')));

-- An address stays an address, so that models which tell real ones from others still do.
-- Addresses that are nobody's own (variables of the dbt project) stay recognizable as such: the first
-- mailbox that several people read stands for all of these, the first placeholder for all others,
-- since which one it was is a part of the address.
create temporary macro masked_email(value) as
case
    when not regexp_full_match(value, '[^@\s]+@[^@\s]+\.[^@\s]+') then masked(value)
    when
        list_contains(
            getvariable('placeholder_mailboxes')::varchar[],
            lower(split_part(split_part(value, '@', 1), '+', 1))
        )
        or list_contains(
            getvariable('placeholder_domains')::varchar[], lower(split_part(value, '@', 2))
        )
    then (getvariable('placeholder_mailboxes')::varchar[])[1] || '@' || masked(value) || '.invalid'
    when
        list_contains(
            getvariable('shared_mailboxes')::varchar[],
            lower(split_part(split_part(value, '@', 1), '+', 1))
        )
    then (getvariable('shared_mailboxes')::varchar[])[1] || '@' || masked(value) || '.invalid'
    else 'lead@' || masked(value) || '.invalid'
end;
