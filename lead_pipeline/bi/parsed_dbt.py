"""dbt on the parse that is kept: `python -m lead_pipeline.bi.parsed_dbt build …`.

Takes the arguments of `dbt` and ends with its exit status. Belongs here: starting dbt with what
`load_manifest` has parsed. Does not belong here: when to parse (`lead_pipeline.bi.dbt_project`).
"""

from __future__ import annotations

import sys

from dbt.cli.main import dbtRunner
from dbt.contracts.graph.manifest import Manifest
from dbt.parser.manifest import extended_mashumuro_decoder

from lead_pipeline.bi.dbt_project import parsed_project

FAILED, BROKEN = 1, 2
"""dbt's own exit statuses: a node failed; dbt could not do what it was asked for."""


def load_parsed() -> Manifest:
    """What dbt made of the project as it is now, as dbt itself would hold it after parsing."""
    manifest: Manifest = Manifest.from_msgpack(parsed_project(), decoder=extended_mashumuro_decoder)
    # Not in the file: derived from what is.
    manifest.build_parent_and_child_maps()  # type: ignore[no-untyped-call]
    manifest.build_flat_graph()  # type: ignore[no-untyped-call]
    return manifest


def main() -> None:
    """Run dbt with the arguments of this process."""
    result = dbtRunner(manifest=load_parsed()).invoke(sys.argv[1:])
    if not result.success:
        sys.exit(FAILED if result.exception is None else BROKEN)


if __name__ == "__main__":
    main()
