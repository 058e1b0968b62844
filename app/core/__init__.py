"""What every slice stands on: settings, database, errors, jobs, events, artifacts, crypto, clock, ids, permissions.

Imports no slice.
"""
