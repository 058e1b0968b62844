"""Errors of experiments."""

from app.core.errors import Conflict


class ExperimentNameTaken(Conflict):
    """Another experiment of the organization, or another test of the experiment, has this name."""

    code = "name_taken"
    title = "The name is taken"
