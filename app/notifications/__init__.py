"""Signed webhooks and their deliveries."""
