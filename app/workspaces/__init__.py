"""Workspaces and their variables."""
