-- What an audit log tells, or the records themselves do, was observed. Most accounts have no audit log, and
-- then none of their changes is compared with what one covers.
delete from normalized.unobserved_changes as changes
where
    account in (
        select account
        from crawls_of_load
        intersect
        select account
        from normalized.audit_coverage
    )
    and exists (
        select 1
        from normalized.audit_coverage as covered
        where
            covered.account = changes.account
            and covered.covered_from <= changes.changed_after
            and changes.changed_until <= covered.covered_until
    );
delete from normalized.unobserved_changes
where lead_key in (select lead_key from told_whole)
