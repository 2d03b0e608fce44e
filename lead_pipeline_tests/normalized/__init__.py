"""Tests of the normalized tables."""
