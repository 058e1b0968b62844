"""``TerraformRuntime``: the one sanctioned way to plan and apply a spec from Python."""

from app.core.db import unit_of_work
from app.core.permissions import Actor
from app.runs import service
from app.runs.schemas import RequestKind, RunOut, RunRequest, RunSource
from app.specs.schemas import TerraformStackSpec


class TerraformRuntime:
    """Plans and applies one spec on behalf of an actor. Each call is one transaction."""

    def __init__(self, spec: TerraformStackSpec, *, actor: Actor, source: RunSource = "api") -> None:
        self._spec = spec
        self._actor = actor
        self._source = source

    def plan(
        self,
        *,
        workspace_id: str,
        kind: RequestKind = "plan",
        speculative: bool = False,
        message: str = "",
        experiment_id: str | None = None,
        test_id: str | None = None,
        idempotency_key: str | None = None,
    ) -> RunOut:
        """Request a plan (or destroy, or refresh) of the spec in a workspace and return the queued run.

        The spec becomes a version of its own and moves no head. Raises what ``POST /terraform/runs`` answers.
        """
        wanted = RunRequest(
            workspace=workspace_id,
            kind=kind,
            speculative=speculative,
            message=message,
            spec=self._spec,
            experiment_id=experiment_id,
            test_id=test_id,
            source=self._source,
        )
        with unit_of_work() as session:
            return RunOut.model_validate(service.request(session, self._actor, wanted, idempotency_key))

    def apply(self, *, plan_run_id: str) -> RunOut:
        """Return the apply of an approved plan; idempotent. Raises ``ApprovalRequired`` before it is approved."""
        with unit_of_work() as session:
            return service.apply(session, self._actor, plan_run_id)

    def destroy(self, *, workspace_id: str, message: str = "") -> RunOut:
        """Request the plan of a destroy; it waits at the gate like any other."""
        return self.plan(workspace_id=workspace_id, kind="destroy", message=message)

    def refresh(self, *, workspace_id: str, speculative: bool = False) -> RunOut:
        """Request a refresh-only plan."""
        return self.plan(workspace_id=workspace_id, kind="refresh", speculative=speculative)
