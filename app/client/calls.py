"""Every call that the client can make, as values: what to send, and how to read the answer.

Made here without I/O, sent by ``SluiceClient.send`` or ``AsyncSluiceClient.send``. Calls whose answers few programs
look into give the parsed JSON.
"""

import uuid
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Generic, TypeVar
from urllib.parse import quote

from app.client.models import Configuration, Page, ProgressPage, Run, Stack, Workspace, page_of

T = TypeVar("T")
Json = dict[str, Any]
Params = Mapping[str, Any]
MAX_PAGE = 200


@dataclass(frozen=True)
class Call(Generic[T]):
    """One request. ``is_repeatable``: sent twice it does its work once."""

    method: str
    path: str
    read: Callable[[Any], T]
    params: Params = field(default_factory=dict)
    json: Any = field(default=None, repr=False)
    content: bytes | None = field(default=None, repr=False)
    content_type: str | None = None
    idempotency_key: str | None = None
    is_repeatable: bool = False
    is_raw: bool = False
    timeout_seconds: float = 30.0

    @property
    def may_repeat(self) -> bool:
        """Whether it may be sent again when it is not known if it arrived."""
        return self.method == "GET" or self.idempotency_key is not None or self.is_repeatable


def as_it_came(data: Any) -> Any:
    """Return the parsed JSON: how an answer is read that few programs look into."""
    return data


def address(*parts: str) -> str:
    """Return the path that the parts make, each quoted: what people call things may hold anything."""
    return "/" + "/".join(quote(part, safe="") for part in parts)


def given(**values: Any) -> Json:
    """Return the values that were given: neither None nor an empty list."""
    return {name: value for name, value in values.items() if value is not None and value != []}


def get(path: str, **params: Any) -> Call[Any]:
    """Read anything: the parsed JSON of ``path``."""
    return Call("GET", path, as_it_came, params=given(**params))


def set_queue_limit(own_limit: int | None = None, *, is_default: bool = False) -> Call[Any]:
    """Set how many runs of the organization execute at once; None is no limit.

    ``is_default`` alone takes the installation's default.
    """
    body = {"is_default": True} if is_default else {"own_limit": own_limit}
    return Call("PUT", address("terraform", "queue", "limit"), as_it_came, json=body, is_repeatable=True)


def listing(path: str, *, limit: int = MAX_PAGE, cursor: str | None = None, **params: Any) -> Call[Page[Any]]:
    """Read one page of any list, items as parsed JSON."""
    return Call("GET", path, page_of(as_it_came), params=given(limit=limit, cursor=cursor, **params))


def post(path: str, body: Json | None = None, *, is_repeatable: bool = False) -> Call[Any]:
    """Post a JSON body."""
    return Call("POST", path, as_it_came, json=body if body is not None else {}, is_repeatable=is_repeatable)


def patch(path: str, body: Json) -> Call[Any]:
    """Change what the body names."""
    return Call("PATCH", path, as_it_came, json=body, is_repeatable=True)


def delete(path: str) -> Call[None]:
    """Delete."""
    return Call("DELETE", path, lambda _: None)


def me() -> Call[Any]:
    """Who the caller is."""
    return get("/auth/me")


def version() -> Call[Any]:
    """What the server is."""
    return get("/terraform/version")


def list_runs(
    workspace: str | None = None,
    statuses: Sequence[str] = (),
    kinds: Sequence[str] = (),
    *,
    limit: int = 50,
    cursor: str | None = None,
) -> Call[Page[Run]]:
    """List runs, newest first."""
    params = given(workspace=workspace, status=list(statuses), kind=list(kinds), limit=limit, cursor=cursor)
    return Call("GET", "/terraform/runs", page_of(Run.read), params=params)


def get_run(run_id: str) -> Call[Run]:
    """Read a run in full."""
    return Call("GET", address("terraform", "runs", run_id), Run.read)


def get_plan(run_id: str) -> Call[Any]:
    """Read what a plan changes."""
    return get(address("terraform", "runs", run_id, "plan"))


def get_estimate(run_id: str) -> Call[Any]:
    """Read what the apply of a plan is likely to take, in seconds, and each resource of it."""
    return get(address("terraform", "runs", run_id, "estimate"))


def request_run(
    workspace: str,
    kind: str = "plan",
    *,
    idempotency_key: str | None = None,
    **fields: Any,
) -> Call[Run]:
    """Request a run. ``fields`` are those of the API, such as ``message`` and ``source``.

    The call carries an Idempotency-Key, made here unless it is given: sent again, it gives the run of the first time.
    """
    body = given(workspace=workspace, kind=kind, **fields)
    return Call(
        "POST", "/terraform/runs", Run.read, json=body, idempotency_key=idempotency_key or f"client-{uuid.uuid4().hex}"
    )


def request_rollback(
    workspace: str, state_version_id: str, *, message: str = "", source: str = "api", idempotency_key: str | None = None
) -> Call[Run]:
    """Request a rollback of a workspace's state to one of its earlier versions; it waits at the gate like any plan."""
    body = given(state_version_id=state_version_id, message=message or None, source=source)
    return Call(
        "POST",
        address("terraform", "workspaces", workspace, "rollback"),
        Run.read,
        json=body,
        idempotency_key=idempotency_key or f"client-{uuid.uuid4().hex}",
    )


def request_migration(
    workspace: str,
    state_backend: str,
    settings: Json | None = None,
    *,
    message: str = "",
    source: str = "api",
    idempotency_key: str | None = None,
) -> Call[Run]:
    """Request that a workspace's state moves to another backend; it waits at the gate like any plan."""
    body = given(state_backend=state_backend, state_backend_settings=settings, message=message or None, source=source)
    return Call(
        "POST",
        address("terraform", "workspaces", workspace, "migrate"),
        Run.read,
        json=body,
        idempotency_key=idempotency_key or f"client-{uuid.uuid4().hex}",
    )


def decide(run_id: str, decision: str, *, comment: str = "", fingerprint: str | None = None) -> Call[Run]:
    """``approve``, ``reject`` or ``revoke``; with the fingerprint that was read, refused when it is another now."""
    body = given(comment=comment or None, fingerprint=fingerprint)
    return Call("POST", address("terraform", "runs", run_id, decision), Run.read, json=body)


def override(
    run_id: str, *, reason: str, expires_in_seconds: int | None = None, fingerprint: str | None = None
) -> Call[Run]:
    """Override the soft-mandatory policies that block a plan; ``fingerprint`` as for ``decide``."""
    body = given(reason=reason, expires_in_seconds=expires_in_seconds, fingerprint=fingerprint)
    return Call("POST", address("terraform", "runs", run_id, "override"), Run.read, json=body)


def stop(run_id: str, how: str, *, reason: str = "") -> Call[Run]:
    """``discard`` or ``cancel`` a run."""
    return Call("POST", address("terraform", "runs", run_id, how), Run.read, json=given(reason=reason or None))


def apply_run(run_id: str) -> Call[Run]:
    """Return the apply of an approved plan; asking again gives the same one."""
    return Call("POST", address("terraform", "runs", run_id, "apply"), Run.read, is_repeatable=True)


def progress(run_id: str, *, after: int = 0, limit: int = 1000) -> Call[ProgressPage]:
    """Read a run's records from an offset on."""
    path = address("terraform", "runs", run_id, "progress")
    return Call("GET", path, ProgressPage.model_validate, params={"after": after, "limit": limit})


def upload_configuration(archive: bytes) -> Call[Configuration]:
    """Upload a tar.gz; the same content again gives the configuration that is there."""
    return Call(
        "POST",
        "/terraform/configurations",
        Configuration.read,
        content=archive,
        content_type="application/gzip",
        is_repeatable=True,
        timeout_seconds=300.0,
    )


def get_stack(id_or_name: str) -> Call[Stack]:
    """Read a stack."""
    return Call("GET", address("terraform", "stacks", id_or_name), Stack.read)


def list_spec_versions(stack: str, *, limit: int = MAX_PAGE, cursor: str | None = None) -> Call[Page[Any]]:
    """Read one page of a stack's pushed spec versions, newest first."""
    return listing(address("terraform", "stacks", stack, "versions"), limit=limit, cursor=cursor)


def create_stack(name: str, description: str = "") -> Call[Stack]:
    """Create a stack without a spec."""
    return Call("POST", "/terraform/stacks", Stack.read, json={"name": name, "description": description})


def push_spec(name: str, document: bytes, *, message: str = "") -> Call[Any]:
    """Push a spec (YAML or JSON text); the same content again makes no version."""
    path = address("terraform", "stacks", name, "spec")
    params = given(message=message or None)
    return Call(
        "PUT", path, as_it_came, params=params, content=document, content_type="application/yaml", is_repeatable=True
    )


def get_workspace(id_or_name: str) -> Call[Workspace]:
    """Read a workspace."""
    return Call("GET", address("terraform", "workspaces", id_or_name), Workspace.read)


def create_workspace(name: str, stack: str, **settings: Any) -> Call[Workspace]:
    """Create a workspace of a stack."""
    body = {"name": name, "stack": stack, **given(**settings)}
    return Call("POST", "/terraform/workspaces", Workspace.read, json=body)


def change_workspace(id_or_name: str, changes: Json) -> Call[Workspace]:
    """Change settings; what is left out stays."""
    return replace(patch(address("terraform", "workspaces", id_or_name), changes), read=Workspace.read)


def delete_workspace(id_or_name: str) -> Call[None]:
    """Delete a workspace that has no living run and no resources."""
    return delete(address("terraform", "workspaces", id_or_name))


def list_variables(workspace: str) -> Call[Any]:
    """List a workspace's variables."""
    return get(address("terraform", "workspaces", workspace, "variables"))


def put_variable(
    workspace: str,
    key: str,
    value: str,
    *,
    kind: str = "terraform",
    sensitive: bool = False,
    hcl: bool = False,
    description: str = "",
) -> Call[Any]:
    """Set a variable of the kind ``terraform`` or ``env``."""
    body = {"value": value, "is_sensitive": sensitive, "is_hcl": hcl, "description": description}
    path = address("terraform", "workspaces", workspace, "variables", kind, key)
    return Call("PUT", path, as_it_came, json=body, is_repeatable=True)


def delete_variable(workspace: str, key: str, *, kind: str = "terraform") -> Call[None]:
    """Delete a variable."""
    return delete(address("terraform", "workspaces", workspace, "variables", kind, key))


def list_state_versions(workspace: str, *, limit: int = 50, cursor: str | None = None) -> Call[Page[Any]]:
    """List a workspace's state versions, newest first."""
    return listing(address("terraform", "workspaces", workspace, "state-versions"), limit=limit, cursor=cursor)


def workspace_outputs(workspace: str) -> Call[Any]:
    """Read the outputs of the newest state; sensitive values are null."""
    return get(address("terraform", "workspaces", workspace, "outputs"))


def state_version(version_id: str, part: str = "") -> Call[Any]:
    """Read a state version; with ``part`` ``outputs`` its outputs."""
    return get(address("terraform", "state-versions", version_id, *([part] if part else [])))


def reveal_output(version_id: str, name: str) -> Call[Any]:
    """Read one output with its value, also when it is sensitive. Audited."""
    return get(address("terraform", "state-versions", version_id, "outputs", name))


def state_diff(before: str, after: str, *, limit: int = MAX_PAGE, cursor: str | None = None) -> Call[Any]:
    """Read one page of what differs between two state versions."""
    return get(address("terraform", "state-versions", before, "diff", after), limit=limit, cursor=cursor)


def lock_state(workspace: str, reason: str) -> Call[Any]:
    """Lock the state by hand; one's own lock again changes nothing."""
    return post(address("terraform", "workspaces", workspace, "state-lock"), {"reason": reason}, is_repeatable=True)


def unlock_state(workspace: str) -> Call[None]:
    """Release one's own lock."""
    return delete(address("terraform", "workspaces", workspace, "state-lock"))


def force_unlock_state(workspace: str, reason: str) -> Call[Any]:
    """Take away another's lock, or a dead run's."""
    return post(address("terraform", "workspaces", workspace, "state-lock", "force-unlock"), {"reason": reason})


def download_state(version_id: str) -> Call[bytes]:
    """Read the state as the engine wrote it, secrets included."""
    path = address("terraform", "state-versions", version_id, "download")
    return Call("GET", path, bytes, is_raw=True, timeout_seconds=300.0)


def halt(reason: str, *, scope: str = "organization", workspace: str | None = None, latch: bool = True) -> Call[Any]:
    """Stop everything in a scope. Sending it again is harmless."""
    body = given(scope=scope, workspace=workspace, reason=reason, latch=latch)
    return post("/terraform/halt", body, is_repeatable=latch)


def standing_halts() -> Call[Any]:
    """Read the halts that stand, and lifted ones that still end runs."""
    return get("/terraform/halt")


def get_halt(halt_id: str) -> Call[Any]:
    """Read one halt, whether it stands or not."""
    return get(address("terraform", "halt", halt_id))


def begin_drill(workspace: str | None = None) -> Call[Any]:
    """Begin a drill of the kill switch, in the canary or the workspace named."""
    return post("/terraform/halt/drills", given(workspace=workspace))


def get_drill(drill_id: str) -> Call[Any]:
    """Read one drill, step by step."""
    return get(address("terraform", "halt", "drills", drill_id))


def resume(reason: str, *, scope: str = "organization", workspace: str | None = None) -> Call[Any]:
    """Lift a halt."""
    return post("/terraform/resume", given(scope=scope, workspace=workspace, reason=reason))
