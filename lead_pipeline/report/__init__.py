"""What people look at: the pages beside the BI file, and the summary of the demo.

    bi/leads.duckdb ──published_file.py──▶ rows ──sections/──▶ page.py ──▶ bi/report.html ──┬─server.py──▶ browser
                    │                       └────explore.py──▶ bi/explore/index.html ───────┘
                    └─summary.py──▶ tables on the terminal

Belongs here: showing the published file, read-only. Does not belong here: computing what the marts
already say; printing (`commands/`).
"""
