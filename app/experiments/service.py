"""Experiments and their tests, which runs can belong to."""

from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from app.audit import service as audit
from app.core import clock
from app.core.errors import Invalid, NotFound
from app.core.ids import new_id
from app.core.pages import Page, PageParams
from app.core.permissions import Actor
from app.experiments import repository
from app.experiments.errors import ExperimentNameTaken
from app.experiments.models import Experiment, ExperimentTest
from app.experiments.schemas import ExperimentIn, ExperimentOut, ExperimentTestIn, ExperimentTestOut


def create_experiment(session: Session, actor: Actor, body: ExperimentIn) -> ExperimentOut:
    """Create an experiment. Raises ``ExperimentNameTaken``."""
    row = Experiment(
        id=new_id("exp"),
        organization_id=actor.organization_id,
        name=body.name,
        description=body.description,
        created_at=clock.now(),
    )
    _insert(session, row, f"An experiment is called {body.name!r} already; choose another name.")
    audit.record(session, actor, "experiment.created", ("experiment", row.id), {"name": row.name})
    return _present(row)


def list_experiments(session: Session, actor: Actor, params: PageParams) -> Page[ExperimentOut]:
    """Return one page of the organization's experiments, newest first."""
    rows, cursor = repository.experiments_page(session, actor.organization_id, params)
    return Page(items=[_present(row) for row in rows], next_cursor=cursor)


def get_experiment(session: Session, organization_id: str, experiment_id: str) -> ExperimentOut:
    """Return an experiment. Raises ``NotFound``."""
    row = repository.experiment(session, organization_id, experiment_id)
    if row is None:
        raise NotFound(f"There is no experiment {experiment_id!r}.")
    return _present(row)


def create_test(session: Session, actor: Actor, experiment_id: str, body: ExperimentTestIn) -> ExperimentTestOut:
    """Create a test of an experiment. Raises ``NotFound``, ``ExperimentNameTaken``."""
    experiment = get_experiment(session, actor.organization_id, experiment_id)
    row = ExperimentTest(
        id=new_id("test"),
        organization_id=actor.organization_id,
        experiment_id=experiment.id,
        name=body.name,
        created_at=clock.now(),
    )
    _insert(session, row, f"A test of {experiment.name} is called {body.name!r} already; choose another name.")
    audit.record(session, actor, "experiment.test_created", ("experiment", experiment.id), {"test": row.id})
    return _present_test(row)


def list_tests(session: Session, actor: Actor, experiment_id: str, params: PageParams) -> Page[ExperimentTestOut]:
    """Return one page of an experiment's tests, newest first. Raises ``NotFound``."""
    experiment = get_experiment(session, actor.organization_id, experiment_id)
    rows, cursor = repository.tests_page(session, experiment.id, params)
    return Page(items=[_present_test(row) for row in rows], next_cursor=cursor)


def check_reference(session: Session, organization_id: str, experiment_id: str | None, test_id: str | None) -> None:
    """Check what a run wants to belong to. Raises ``Invalid``, naming the field, for what does not exist or fit."""
    if experiment_id is not None and repository.experiment(session, organization_id, experiment_id) is None:
        _refuse("experiment_id", f"There is no experiment {experiment_id!r}.")
    if test_id is None:
        return
    test = repository.test(session, organization_id, test_id)
    if test is None:
        _refuse("test_id", f"There is no test {test_id!r}.")
    elif experiment_id is not None and test.experiment_id != experiment_id:
        _refuse("test_id", f"The test {test_id!r} belongs to another experiment.")


def _refuse(field: str, message: str) -> None:
    raise Invalid(message, errors=[{"field": field, "message": message}])


def _insert(session: Session, row: Experiment | ExperimentTest, taken: str) -> None:
    try:
        with session.begin_nested():
            repository.add(session, row)
    except IntegrityError:
        raise ExperimentNameTaken(taken, errors=[{"field": "name", "message": taken}]) from None


def _present(row: Experiment) -> ExperimentOut:
    return ExperimentOut(id=row.id, name=row.name, description=row.description, created_at=row.created_at)


def _present_test(row: ExperimentTest) -> ExperimentTestOut:
    return ExperimentTestOut(id=row.id, experiment_id=row.experiment_id, name=row.name, created_at=row.created_at)
