"""Queries of experiments."""

from collections.abc import Sequence

from sqlalchemy import select
from sqlalchemy.orm import Session

from app.core.pages import PageParams, fetch_page
from app.experiments.models import Experiment, ExperimentTest


def add(session: Session, row: Experiment | ExperimentTest) -> None:
    """Insert a row now, so that a name that is taken shows here."""
    session.add(row)
    session.flush()


def experiment(session: Session, organization_id: str, experiment_id: str) -> Experiment | None:
    """Return an experiment of the organization."""
    return session.scalars(
        select(Experiment).where(Experiment.id == experiment_id, Experiment.organization_id == organization_id)
    ).first()


def experiments_page(
    session: Session, organization_id: str, params: PageParams
) -> tuple[Sequence[Experiment], str | None]:
    """Return one page of experiments, newest first."""
    return fetch_page(
        session, select(Experiment).where(Experiment.organization_id == organization_id), Experiment.id, params
    )


def test(session: Session, organization_id: str, test_id: str) -> ExperimentTest | None:
    """Return a test of one of the organization's experiments."""
    return session.scalars(
        select(ExperimentTest).where(ExperimentTest.id == test_id, ExperimentTest.organization_id == organization_id)
    ).first()


def tests_page(session: Session, experiment_id: str, params: PageParams) -> tuple[Sequence[ExperimentTest], str | None]:
    """Return one page of an experiment's tests, newest first."""
    return fetch_page(
        session, select(ExperimentTest).where(ExperimentTest.experiment_id == experiment_id), ExperimentTest.id, params
    )
