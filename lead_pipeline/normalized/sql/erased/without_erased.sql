-- Takes the records of some leads ($accounts and $lead_ids, pairwise) out, and returns one row for each.
delete from landed_records
where
    not list_contains($events::varchar[], stream)
    and (account, record_id) in (
        select unnest($accounts::varchar[]), unnest($lead_ids::varchar[])
    )
returning record_id
