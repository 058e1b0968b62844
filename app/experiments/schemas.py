"""The vocabulary of experiments."""

from datetime import datetime
from typing import Annotated

from pydantic import AfterValidator, BaseModel, ConfigDict, Field


def _visible(text: str) -> str:
    cleaned = text.strip()
    if not cleaned or not cleaned.isprintable():
        raise ValueError("must be visible text on one line")
    return cleaned


def _storable(text: str) -> str:
    if "\x00" in text:
        raise ValueError("must not hold NUL characters")
    return text


Name = Annotated[str, Field(min_length=1, max_length=200), AfterValidator(_visible)]
Description = Annotated[str, Field(max_length=4000), AfterValidator(_storable)]


class ExperimentIn(BaseModel):
    """A new experiment."""

    model_config = ConfigDict(extra="forbid")

    name: Name
    description: Description = ""


class ExperimentOut(BaseModel):
    """A series of runs that belong together."""

    id: str
    name: str
    description: str
    created_at: datetime


class ExperimentTestIn(BaseModel):
    """A new test of an experiment."""

    model_config = ConfigDict(extra="forbid")

    name: Name


class ExperimentTestOut(BaseModel):
    """One test of an experiment; a run can belong to it."""

    id: str
    experiment_id: str
    name: str
    created_at: datetime
