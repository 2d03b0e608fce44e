-- The coverage of the accounts of this load, in place of what was known.
delete from normalized.coverage
where account in (select account from new_coverage);
insert into normalized.coverage by name
select * from new_coverage
