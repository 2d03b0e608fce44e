"""Tags of runs: what people filter them by in the web interface."""

ACCOUNT_TAG = "lead_pipeline/account"
"""The account that a run lands."""
