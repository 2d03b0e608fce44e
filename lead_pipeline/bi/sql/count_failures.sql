select {count} as failures, {count} {warn_if} as should_warn, {count} {error_if} as should_error from ({test}
) as dbt_internal_test
-- As dbt counts what a test has found. In one line, so that DuckDB names the lines of the test itself.
