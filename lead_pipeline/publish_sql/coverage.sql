create or replace temp table coverage (
    account varchar,
    provider varchar,
    complete_from timestamptz,
    complete_through timestamptz
)
