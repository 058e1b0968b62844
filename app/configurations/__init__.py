"""Uploaded, fetched and rendered configurations, each pinned to a digest."""
