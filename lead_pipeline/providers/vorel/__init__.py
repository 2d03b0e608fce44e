"""Vorel: how its lead API is asked, and what its records mean."""

from lead_pipeline.providers.vorel.provider import Vorel

PROVIDER = Vorel()
