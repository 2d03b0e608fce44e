-- Landed records with a `payload` that DuckDB can read: what mappings see. What came stands in
-- `raw_payload`.
create temp view landed as
select
    landed_records.*,
    landed_records.rowid as record_row,
    coalesce(repaired_payloads.payload, landed_records.raw_payload) as payload
from landed_records
left join repaired_payloads on repaired_payloads.record_row = landed_records.rowid
