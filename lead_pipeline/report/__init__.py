"""What people look at: the page beside the BI file, and the summary of the demo.

    bi/leads.duckdb ──figures.py──▶ tables of figures ──charts.py──▶ SVG ──page.py──▶ bi/report.html
                    └─summary.py──▶ tables on the terminal

Belongs here: showing the published file, read-only. Does not belong here: computing what the marts
already say; printing (`commands/`).
"""
