"""The lead APIs: how each is asked, and what its records mean.

    base, http, quota, fields, …   what all providers share
    <slug>/                        one folder a provider: all that is known of it

Belongs here: one folder per provider with how to ask, mapping SQL, documented fields, stages and
options; and the parts that these are put together from. Does not belong here: anything that
writes files (`lead_pipeline.landing`) or tables (`lead_pipeline.normalized`).
"""

from __future__ import annotations

from lead_pipeline.providers.registry import Registry

PROVIDERS = Registry()
"""Every provider by its slug."""
