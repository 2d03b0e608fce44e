"""Why a lead shows what it shows: everything that was ever observed of it, from landing.

    a lead_key, lead id or email ──find.py──▶ leads ──evidence.py──▶ events, sightings, …
           landed files ──mapped.py──▶ records with columns ──changes.py──▶ what each changed
    warehouse.duckdb ──loaded.py, briefly──▶ the lead's row and stage intervals
    bi/leads.duckdb ──person.py──▶ what joined it with other leads of its person
                    all of these ──explanation.py──▶ Explanation ──answer.py──▶ document.py, tables.py

Landing is the truth here; the warehouse only says what it has made of it. Belongs here: finding and
comparing what was observed. Does not belong here: the mapping itself (`normalized/`), printing
(`commands/explain.py`). Nothing here logs: it is all somebody's personal data.
"""
