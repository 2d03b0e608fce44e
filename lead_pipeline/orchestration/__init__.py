"""Dagster around the pipeline: the instance, the runs, and the processes that execute them.

Belongs here: what only exists because Dagster runs the pipeline. Does not belong here: landing,
loading and publishing themselves, which work without Dagster.
"""
