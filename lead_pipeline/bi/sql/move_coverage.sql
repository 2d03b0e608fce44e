-- How far the copied tables reach is about the file, so it belongs to `meta`.
create schema candidate.meta;
create table candidate.meta.coverage as from candidate.normalized.coverage;
comment on table candidate.meta.coverage is
    'One row per account that has landed: this file holds every update of its leads in [complete_from, complete_through). meta.publish repeats it with the rest.';
comment on column candidate.meta.coverage.account is 'Set of credentials that the leads were read with.';
comment on column candidate.meta.coverage.provider is 'API of the account.';
comment on column candidate.meta.coverage.complete_from is 'Start of the time whose updates are all here, UTC; null: since ever.';
comment on column candidate.meta.coverage.complete_through is 'End of the time whose updates are all here, UTC; null: nothing is complete yet.';
comment on column candidate.meta.coverage.note is 'What to know of the completeness; null: nothing.';
drop table candidate.normalized.coverage;
