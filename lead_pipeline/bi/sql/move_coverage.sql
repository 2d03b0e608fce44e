-- How far the copied tables reach is about the file, so it belongs to `meta`.
create schema candidate.meta;
create table candidate.meta.coverage as
select coverage.*, watches.watched_from, watches.poll_seconds
from candidate.normalized.coverage
left join candidate.internal.watches using (account);
comment on table candidate.meta.coverage is
    'One row per account that has landed: this file holds the last state of each of its leads that was updated in [complete_from, complete_through). meta.publish repeats it with the rest.';
comment on column candidate.meta.coverage.account is 'Set of credentials that the leads were read with.';
comment on column candidate.meta.coverage.provider is 'API of the account.';
comment on column candidate.meta.coverage.complete_from is 'Start of the time whose updated leads are all here, UTC; null: since ever.';
comment on column candidate.meta.coverage.complete_through is 'End of the time whose updated leads are all here, UTC; null: nothing is complete yet.';
comment on column candidate.meta.coverage.note is 'What to know of the completeness; null: nothing.';
comment on column candidate.meta.coverage.watched_from is 'Since when the account is polled without a gap, UTC; null: it is not. What was before is known as far as the first poll told.';
comment on column candidate.meta.coverage.poll_seconds is 'Usual time between two polls, in seconds: changes that follow each other faster may have been seen as one; null: not known.';
drop table candidate.normalized.coverage;
