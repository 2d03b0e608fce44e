"""What `celery` starts as a worker of a team; docs/team.md has its configuration.

    celery --app lead_pipeline.worker worker --concurrency 4

The code of all assets is imported once, before any process is forked: a run begins within a second.
Nothing is loaded here that opens a connection, for none survives a fork.
"""

import lead_pipeline.definitions  # noqa: F401 - imported for the forked processes
from lead_pipeline.orchestration.celery_worker import make_app

app = make_app()
