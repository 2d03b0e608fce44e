"""The commands of `lead-pipeline`, one module each; `lead_pipeline.cli` registers them.

Belongs here: arguments, help, what is printed and how a command ends (`console.py`, `outcome.py`), the
nights of the demo (`nights.py`). Each command loads the settings once and passes them down. Does not
belong here: doing the work; heavy modules are imported by the command that needs them, so that
`--help` answers at once.
"""
