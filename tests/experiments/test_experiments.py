import pytest
from sqlalchemy.orm import Session

from app.core.errors import Invalid
from app.experiments import service
from app.identity.roles import Role
from tests.support import people


@pytest.fixture
def planner(session: Session) -> people.Member:
    member = people.person(session, people.organization(session), Role.PLANNER)
    session.commit()
    return member


def test_experiments_are_made_listed_and_shown(planner: people.Member) -> None:
    client = people.client(planner)
    made = client.post("/terraform/experiments", json={"name": "blue", "description": "why"})
    assert made.status_code == 201
    experiment = made.json()
    test = client.post(f"/terraform/experiments/{experiment['id']}/tests", json={"name": "t1"}).json()
    assert test["experiment_id"] == experiment["id"]
    assert client.get("/terraform/experiments").json()["items"] == [experiment]
    assert client.get(f"/terraform/experiments/{experiment['id']}").json() == experiment
    assert client.get(f"/terraform/experiments/{experiment['id']}/tests").json()["items"] == [test]


def test_create_experiment_name_taken_in_the_organization_only(session: Session, planner: people.Member) -> None:
    other = people.person(session, people.organization(session), Role.PLANNER)
    session.commit()
    body = {"name": "blue"}
    assert people.client(planner).post("/terraform/experiments", json=body).status_code == 201
    taken = people.client(planner).post("/terraform/experiments", json=body)
    assert (taken.status_code, taken.json()["code"]) == (409, "name_taken")
    theirs = people.client(other).post("/terraform/experiments", json=body)
    assert theirs.status_code == 201
    path = f"/terraform/experiments/{theirs.json()['id']}"
    assert people.client(planner).get(path).status_code == 404
    assert people.client(planner).post(f"{path}/tests", json={"name": "t"}).status_code == 404


def test_check_reference_unknown_or_unfitting_names_the_field(session: Session, planner: people.Member) -> None:
    org, client = planner.actor.organization_id, people.client(planner)
    first, second = (client.post("/terraform/experiments", json={"name": name}).json()["id"] for name in ("a", "b"))
    test = client.post(f"/terraform/experiments/{first}/tests", json={"name": "t"}).json()["id"]
    service.check_reference(session, org, first, test)
    service.check_reference(session, org, None, test)
    service.check_reference(session, org, None, None)
    for experiment_id, test_id, field in (
        ("exp-x", None, "experiment_id"),
        (None, "t", "test_id"),
        (second, test, "test_id"),
    ):
        with pytest.raises(Invalid) as caught:
            service.check_reference(session, org, experiment_id, test_id)
        assert caught.value.fields["errors"][0]["field"] == field
