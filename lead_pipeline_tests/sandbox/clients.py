"""A client for each API of the sandbox, with the key that its environment gives."""

from __future__ import annotations

import ssl

import httpx

from lead_pipeline.sandbox import Sandbox

MEGA_LEADS = "/api/agents/crm/leads"
LEADS = "/api/v1/leads"
EVENTS = "/api/v1/audit-log"
# Never used on loopback, but httpx makes one for each client unless it gets one, and slowly.
_TLS = ssl.create_default_context()

LISTS = {"mega": MEGA_LEADS, "expert_ai_labs": LEADS, "vorel": LEADS}


def client_of(sandbox: Sandbox, provider: str) -> httpx.Client:
    """A client that is allowed to read; close it."""
    variables, prefix = sandbox.environment(), provider.upper()
    key = variables.get(f"{prefix}_API_KEY") or variables[f"{prefix}_TOKEN"]
    headers = {"Authorization": f"Bearer {key}"}
    if provider == "mega":
        headers["x-customer-id"] = variables["MEGA_CUSTOMER_ID"]
    # Trusting the environment would send loopback requests to a proxy.
    return httpx.Client(
        base_url=variables[f"{prefix}_BASE_URL"], headers=headers, trust_env=False, verify=_TLS
    )
