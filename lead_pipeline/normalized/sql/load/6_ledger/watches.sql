-- Since when the accounts are polled without a gap, in place of what was known.
delete from normalized.watches;
insert into normalized.watches by name
select * from account_watches
