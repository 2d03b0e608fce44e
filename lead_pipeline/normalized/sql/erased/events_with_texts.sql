-- Events whose JSON has one of some texts ($written) in quotes.
select rowid, account, stream, raw_payload
from landed_records
where
    list_contains($events::varchar[], stream)
    and list_has_any(
        regexp_extract_all(raw_payload, '"((?:[^"\\]|\\.)*)"', 1), $written::varchar[]
    )
