"""Tests of what we ship besides code: bill of materials, bounds of versions, the audit."""
