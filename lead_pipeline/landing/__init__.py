"""From the providers' answers to landed files: the only truth, append-only.

    account + window ──pull.py──▶ crawl.py ──▶ journal ──▶ Parquet + commit record ──▶ coverage.py

Belongs here: crawling, what is landed, how far it reaches, what is open (`check.py`, `status.py`).
Does not belong here: how a provider is asked (`providers/`), what its fields mean (`normalized/`).
"""
