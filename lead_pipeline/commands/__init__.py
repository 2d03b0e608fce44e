"""The commands of `lead-pipeline`, one module each; `lead_pipeline.cli` registers them.

Belongs here: arguments, help, which tables are printed. Does not belong here: doing the work;
heavy modules are imported by the command that needs them, so that `--help` answers at once.
"""
