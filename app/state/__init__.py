"""State versions, locks, outputs."""
