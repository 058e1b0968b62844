"""Experiments and tests that a run can belong to."""
