"""The thirty questions of docs/questions.md, each asked of a published file and of the truth.

    team ──polls──▶ landed files ──load, dbt build, publish──▶ leads.duckdb ──query──▶ answer ─┐
      └────────────▶ known changes as frames of pandas ───────────────────────▶ answer ────────┴─▶ equal

Here: a world in which every change can be known, and the answers. The truths never look at our
tables. Not here: figures that polls leave in doubt (`truth`).
"""
