"""Deals: how its API is asked, and what its records mean."""

from lead_pipeline_deals.provider import Deals

PROVIDER = Deals()
