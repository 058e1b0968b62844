"""Kills the parts of a running Sluice at random moments, and judges what is left.

``tools/chaos.py`` runs it in full, a test runs a short one. Nothing here looks inside Sluice: work goes through the
public API, what happened is read from the API and from PostgreSQL, and kills are signals to process ids.
"""
