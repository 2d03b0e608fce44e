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
end
