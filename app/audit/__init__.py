"""Append-only, hash-chained events; the actor is a value."""
