"""A process of its own that pulls once and says what memory it took: `python -m … ACCOUNT HOME`.

ACCOUNT is a JSON object with name, provider, base_url and credentials. Prints the largest resident
memory in bytes, and the error, if any, on the next line. That memory is what Linux says of the
program (`VmHWM`): `getrusage` counts in what the process was before it became this program.
"""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path

from lead_pipeline.errors import LeadPipelineError
from lead_pipeline.landing.pull import PullOptions
from lead_pipeline.providers.base import Account
from lead_pipeline.providers.http import RetryPolicy
from lead_pipeline.providers.transport import Timeouts
from lead_pipeline_tests.pulling import days, pull, settings_in


def main() -> None:
    """Pull everything, twice where the first answer is not taken: nothing may pile up."""
    options = PullOptions(
        RetryPolicy(attempts=2, first_backoff=0.01, longest_backoff=0.01),
        Timeouts(connect=30.0, read=30.0, headers=30.0, total=90.0),
    )
    error = ""
    try:
        pull(
            settings_in(Path(sys.argv[2])),
            Account(**json.loads(sys.argv[1])),
            days(1, 3),
            full=True,
            accept_doubtful=True,
            options=options,
        )
    except LeadPipelineError as failure:
        error = str(failure)
    found = re.search(r"VmHWM:\s*(\d+) kB", Path("/proc/self/status").read_text("ascii"))
    if found is None:
        raise LookupError("this system does not say how much memory a process took")
    sys.stdout.write(f"{int(found[1]) * 1024}\n{error}\n")


if __name__ == "__main__":
    main()
