"""Tests of `lead-pipeline explain`."""
