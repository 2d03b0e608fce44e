"""What `celery` starts as a worker of a team; docs/team.md has its configuration.

    celery --app lead_pipeline.worker worker --concurrency 4

Definitions are loaded once, before any process is forked: a run begins within a second.
"""

from lead_pipeline.definitions import defs
from lead_pipeline.orchestration.celery_worker import make_app

app = make_app()
defs()
