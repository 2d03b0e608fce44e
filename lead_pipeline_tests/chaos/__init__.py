"""The crash laboratory: what is left of a home whose processes were killed, at every place.

    stages.py ──what is done──▶ kills.py, disks.py, races.py ──▶ verdicts ──▶ __main__.py
                                       └── system_calls.py: where a process is stopped

`python -m lead_pipeline_tests.chaos --help` says how to run it, or a part of it.
"""
