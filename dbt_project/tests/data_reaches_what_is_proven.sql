-- Each returned row is an account whose leads are measured to a moment before the end of what its
-- crawls prove: lengths of time that stand still although complete crawls continue.
{{ config(meta={"dagster": {"ref": {"name": "int_account_horizons"}}}) }}
select horizons.account, horizons.data_until, coverage.complete_through
from {{ ref("int_account_horizons") }} as horizons
join {{ ref("stg_coverage") }} as coverage using (account)
where horizons.data_until < coverage.complete_through
