"""From a spec to the files that are laid over its root module. Pure: the same input gives the same files.

A spec with a ``module_source`` gets a root module that calls it, passes inputs and variables in, and gives its declared
outputs out. An uploaded configuration is a root module already: it gets the inputs as a variables file. Both get the
backend. A workspace's variable wins over the spec's input of the same name.
"""

import json
from collections.abc import Mapping, Sequence
from typing import Any

from app.codegen.backends import STATE_FILE, engine_backend, engine_settings, hcp_environment, render_backend
from app.codegen.errors import SecretMissing
from app.codegen.hcl import import_block, literal, removed_block
from app.codegen.renderer import render_template
from app.configurations.schemas import ModuleInterface
from app.specs.schemas import TerraformStackSpec, root_directory
from app.workspaces.schemas import ResolvedVariable

__all__ = [
    "BACKEND_FILE",
    "INPUTS_FILE",
    "ROOT_FILE",
    "STATE_FILE",
    "engine_backend",
    "engine_settings",
    "hcp_environment",
    "import_block",
    "output_variable",
    "removed_block",
    "render",
    "render_backend",
    "run_variables",
]

ROOT_FILE = "zzzz_sluice_stack.tf"
BACKEND_FILE = "zzzz_sluice_backend_override.tf"
INPUTS_FILE = "zzzz_sluice_inputs.auto.tfvars.json"

_SECRET_SCHEME = "variable:"  # noqa: S105 - the scheme of a reference, not a secret


def render(
    spec: TerraformStackSpec,
    *,
    backend: str = "local",
    backend_settings: Mapping[str, Any] | None = None,
    module: ModuleInterface | None = None,
    variables: Sequence[ResolvedVariable] = (),
) -> dict[str, str]:
    """Return the files to lay over the root module: name to content.

    ``module`` is what the spec's module declares (``configurations.interface``), needed with ``module_source``.
    ``variables`` are the run's, as ``run_variables`` gives them; their values are not written. ``backend_settings``
    are the workspace's. Raises ``BackendUnknown`` or ``NotRenderable``.
    """
    files = {BACKEND_FILE: render_backend(backend, backend_settings or {})}
    if spec.module_source is not None:
        files[ROOT_FILE] = _render_root(spec, module or ModuleInterface(), variables)
    elif spec.inputs:
        files[INPUTS_FILE] = json.dumps(spec.inputs, ensure_ascii=True, sort_keys=True, indent=2) + "\n"
    return files


def run_variables(spec: TerraformStackSpec, variables: Sequence[ResolvedVariable]) -> list[ResolvedVariable]:
    """Return a run's variables: the workspace's, and the secrets that the spec maps to inputs, under the input's name.

    ``variable:KEY`` is the sensitive terraform variable KEY of the workspace. A workspace's variable of the input's
    own name wins. Raises ``SecretMissing``, naming the mapping.
    """
    known = {variable.key: variable for variable in variables if variable.kind == "terraform"}
    added = []
    for name, reference in sorted(spec.secret_mappings.items()):
        key = reference.removeprefix(_SECRET_SCHEME)
        found = known.get(key)
        if found is None or not found.sensitive:
            message = f"refers to {reference}, and the workspace has no sensitive terraform variable {key!r}: set it"
            field = f"secret_mappings.{name}"
            raise SecretMissing.of_field(field, message)
        if name not in known:
            added.append(found.model_copy(update={"key": name}))
    return [*variables, *added]


def output_variable(name: str, value: Any, *, version_id: str, is_sensitive: bool) -> ResolvedVariable:
    """Return an output's value as a run's variable ``name``: text as it is, everything else as an HCL literal.

    Raises ``NotRenderable``.
    """
    is_text = isinstance(value, str)
    return ResolvedVariable(
        version_id=version_id,
        key=name,
        kind="terraform",
        value=value if is_text else literal(value, is_measured=True),
        sensitive=is_sensitive,
        hcl=not is_text,
    )


def _render_root(spec: TerraformStackSpec, module: ModuleInterface, variables: Sequence[ResolvedVariable]) -> str:
    given = {
        variable.key: variable.sensitive
        for variable in variables
        if variable.kind == "terraform" and variable.key in module.variables
    }
    return render_template(
        spec.kind,
        source=f"./{root_directory(spec)}" if spec.operator_module is not None else spec.module_source,
        inputs=sorted((name, value) for name, value in spec.inputs.items() if name not in given),
        variables=[{"name": name, "is_sensitive": given[name]} for name in sorted(given)],
        outputs=[
            {"name": name, "is_sensitive": output.is_sensitive, "description": output.description}
            for name, output in sorted(module.outputs.items())
        ],
    )
