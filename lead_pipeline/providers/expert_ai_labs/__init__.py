"""Expert AI Labs: how its lead API is asked, and what its records mean."""

from lead_pipeline.providers.expert_ai_labs.provider import ExpertAiLabs

PROVIDER = ExpertAiLabs()
