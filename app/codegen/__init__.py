"""Spec to files, pure: Jinja2 renderer and backend wrapper."""
