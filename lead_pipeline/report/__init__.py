"""What people look at: the report beside the BI file, and the demo's summary.

    bi/leads.duckdb ──figures.py──▶ tables of figures ──charts.py──▶ SVG ──page.py──▶ bi/report.html

Belongs here: showing the published file, read-only. Does not belong here: computing what the marts
already tell.
"""
