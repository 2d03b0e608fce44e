"""The parts of the report, one module each: a query, and how its figures are written.

Belongs here: what a head of sales reads. Does not belong here: looks (`page.html`, `style.css`), and
figures that a mart has already.
"""
