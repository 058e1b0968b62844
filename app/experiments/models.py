"""Rows of experiments."""

from sqlalchemy import ForeignKey, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from app.core.db import Base, Created, Id, OrganizationOwned


class Experiment(OrganizationOwned, Created, Base):
    """A series of runs that belong together."""

    __tablename__ = "experiments"
    __table_args__ = (UniqueConstraint("organization_id", "name"),)

    id: Mapped[Id]
    name: Mapped[str]
    description: Mapped[str] = mapped_column(default="")


class ExperimentTest(OrganizationOwned, Created, Base):
    """One test of an experiment."""

    __tablename__ = "experiment_tests"
    __table_args__ = (UniqueConstraint("experiment_id", "name"),)

    id: Mapped[Id]
    experiment_id: Mapped[str] = mapped_column(ForeignKey("experiments.id", ondelete="CASCADE"))
    name: Mapped[str]
