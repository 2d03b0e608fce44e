"""Forgetting a person: out of landing, tables, published files and logs, and never landed again.

    WHO ──▶ leads ──▶ tombstones ──▶ landing ──▶ tables, published file ──▶ other files ──▶ search ──▶ receipt

Each step can be the last one before a kill: what is left to do is noted by hashes alone
(`landing/erasures.py`). Belongs here: who is meant, the order of steps, what lies outside of landing,
the proof. Does not belong here: taking rows out of landing (`landing/erasing.py`), running dbt.
"""
