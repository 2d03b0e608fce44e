-- The stretches covered by the audit logs of this load's accounts, before it and now.
select account, false as is_new, covered_from, covered_until
from normalized.audit_coverage
where account in (select account from crawls_of_load)
union all
select account, true as is_new, covered_from, covered_until
from new_audit_coverage
