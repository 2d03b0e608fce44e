"""The three lead APIs, imitated on loopback, with a clock of their own and faults.

Belongs here: everything that stands in for the providers in tests, in the demo and on a developer's
machine. Does not belong here: anything of the pipeline; the sandbox knows the providers' documents
only, so that it can prove the pipeline wrong. Of one provider, its API is one module and the business
whose leads it serves another.

    World ──changes of a day──▶ stores ──▶ mega / expert_ai_labs / vorel ──▶ ApiServer ──▶ HTTP
           Sandbox.set_clock              respond(request)                limits, faults

    with Sandbox() as sandbox:
        sandbox.set_clock(datetime(2026, 1, 5, tzinfo=UTC))
        sandbox.mega.faults.add(Fault("status", at=2, status=503))
        httpx.get(sandbox.mega.url + "/api/agents/crm/leads", headers=...)
"""

from lead_pipeline.sandbox.command import serve
from lead_pipeline.sandbox.faults import FOREVER, Fault
from lead_pipeline.sandbox.messages import Request, Response
from lead_pipeline.sandbox.sandbox import Sandbox
from lead_pipeline.sandbox.server import ApiServer, RecordedRequest
from lead_pipeline.sandbox.world import World

__all__ = [
    "FOREVER",
    "ApiServer",
    "Fault",
    "RecordedRequest",
    "Request",
    "Response",
    "Sandbox",
    "World",
    "serve",
]
