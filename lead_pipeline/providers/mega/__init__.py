"""MEGA: how its lead API is asked, and what its records mean."""

from lead_pipeline.providers.mega.provider import Mega

PROVIDER = Mega()
