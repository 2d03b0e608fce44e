"""Forgetting persons."""
