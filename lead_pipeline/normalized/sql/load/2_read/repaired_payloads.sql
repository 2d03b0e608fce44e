-- Payloads that DuckDB cannot read as JSON, by the row of `landed_records`.
select rowid as record_row, raw_payload
from landed_records
where not json_valid(raw_payload)
