"""Every figure of every mart against worlds of which all changes are known.

    world ──polls──▶ landed files ──load──▶ warehouse ──dbt build──▶ marts ─┐
      └────────────▶ truths ────────────────────────────────────────────────┴─▶ comparison

The truths are written from what the tables promise, in plain loops over the known changes. They
share no code with the models.
"""
