"""Edge of experiments."""

from typing import Annotated

from fastapi import APIRouter

from app.core.db import SessionDep
from app.core.errors import NotFound
from app.core.http import error_responses
from app.core.pages import Page, PageDep
from app.core.permissions import Actor, Permission, requires
from app.experiments import service
from app.experiments.errors import ExperimentNameTaken
from app.experiments.schemas import ExperimentIn, ExperimentOut, ExperimentTestIn, ExperimentTestOut

router = APIRouter(prefix="/terraform/experiments", tags=["experiments"])

Reader = Annotated[Actor, requires(Permission.RUNS_READ)]
Planner = Annotated[Actor, requires(Permission.RUNS_PLAN)]

READ = error_responses(NotFound)
CREATE = error_responses(ExperimentNameTaken)


@router.get("", operation_id="list_experiments")
def list_experiments(actor: Reader, session: SessionDep, params: PageDep) -> Page[ExperimentOut]:
    """List the organization's experiments, newest first."""
    return service.list_experiments(session, actor, params)


@router.post("", operation_id="create_experiment", status_code=201, responses=CREATE)
def create_experiment(body: ExperimentIn, actor: Planner, session: SessionDep) -> ExperimentOut:
    """Create an experiment."""
    return service.create_experiment(session, actor, body)


@router.get("/{experiment_id}", operation_id="get_experiment", responses=READ)
def get_experiment(experiment_id: str, actor: Reader, session: SessionDep) -> ExperimentOut:
    """Return an experiment."""
    return service.get_experiment(session, actor.organization_id, experiment_id)


@router.get("/{experiment_id}/tests", operation_id="list_experiment_tests", responses=READ)
def list_experiment_tests(
    experiment_id: str, actor: Reader, session: SessionDep, params: PageDep
) -> Page[ExperimentTestOut]:
    """List an experiment's tests, newest first."""
    return service.list_tests(session, actor, experiment_id, params)


@router.post("/{experiment_id}/tests", operation_id="create_experiment_test", status_code=201, responses=READ | CREATE)
def create_experiment_test(
    experiment_id: str, body: ExperimentTestIn, actor: Planner, session: SessionDep
) -> ExperimentTestOut:
    """Create a test of an experiment."""
    return service.create_test(session, actor, experiment_id, body)
