"""The process that landing children are forked from, once it has imported what they need.

    command begins ──▶ fork server starts, imports ──┐
                  └──▶ command imports the same ─────┴──▶ one forked child per account

Belongs here: starting it before anything heavy is imported, so that both import at the same time.
Does not belong here: what children do (`parallel.py`).
"""

from __future__ import annotations

import multiprocessing
from multiprocessing import forkserver
from multiprocessing.context import ForkServerContext, SpawnContext

PRELOADED = (
    "lead_pipeline.landing.pull",
    "lead_pipeline.orchestration.landing_definitions",
    "lead_pipeline.orchestration.runner",
)


def children_context() -> ForkServerContext | SpawnContext:
    """How children are made: by the fork server; where there is none, as new interpreters."""
    if not _has_fork_server():
        return multiprocessing.get_context("spawn")
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(list(PRELOADED))
    return context


def start_fork_server() -> None:
    """Let it begin to import; it ends with this process, however that ends.

    It has the environment of this moment, and so have the children.
    """
    children_context()
    if _has_fork_server():
        forkserver.ensure_running()


def _has_fork_server() -> bool:
    return "forkserver" in multiprocessing.get_all_start_methods()
