-- The stretches covered by the audit logs of this load's accounts, in place of those known.
delete from normalized.audit_coverage
where account in (select account from crawls_of_load);
insert into normalized.audit_coverage by name
select * from new_audit_coverage
