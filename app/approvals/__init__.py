"""Decisions on plans, and quorum rules."""
