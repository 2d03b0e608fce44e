-- Each text that stands in quotes in the JSON of events, once an account, escapes as they came.
select distinct account, unnest(regexp_extract_all(raw_payload, '"((?:[^"\\]|\\.)*)"', 1))
from landed_records
where list_contains($events::varchar[], stream)
