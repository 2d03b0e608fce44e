"""Tags of runs: what people filter them by in the web interface."""

ACCOUNT_TAG = "lead_pipeline/account"
"""The account that a run lands."""
POLLS_SCHEDULE = "hourly_polls_schedule"
"""The schedule whose runs only land; Dagster tags its runs with the name."""
PROCESS_TAG = "lead_pipeline/process"
"""The machine and process that execute a run of a team."""
