"""How many examples the slow property tests try: a few at each change, many in `make test-long`."""

from __future__ import annotations

import os

from hypothesis import HealthCheck, settings

TIMES = int(os.environ.get("EXAMPLES_TIMES", "1"))


def examples(few: int) -> settings:
    """Try `few` examples, `EXAMPLES_TIMES` as many where that is set; each may take seconds."""
    return settings(
        max_examples=few * TIMES, deadline=None, suppress_health_check=[HealthCheck.too_slow]
    )
