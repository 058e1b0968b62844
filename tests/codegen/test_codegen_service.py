import json
import subprocess
from pathlib import Path
from typing import Any

import pytest
from jinja2 import UndefinedError
from jinja2.sandbox import SecurityError

from app.codegen import renderer
from app.codegen.errors import BackendUnknown, NotRenderable, SecretMissing
from app.codegen.service import BACKEND_FILE, INPUTS_FILE, ROOT_FILE, render, run_variables
from app.configurations.schemas import ModuleInterface, OutputInfo, VariableInfo
from app.executor.discovery import Tool
from app.specs.schemas import TERRAFORM_MODULE_KINDS, validate_spec
from app.workspaces.schemas import ResolvedVariable
from tests.support.guards import spawning

MODULE = ModuleInterface(
    variables={
        "cidr": VariableInfo(is_required=True, is_sensitive=False),
        "note": VariableInfo(is_required=False, is_sensitive=False),
        "token": VariableInfo(is_required=True, is_sensitive=True),
        "count_of": VariableInfo(is_required=False, is_sensitive=False),
    },
    outputs={
        "echo": OutputInfo(is_sensitive=False, description='says "${x}"'),
        "secret": OutputInfo(is_sensitive=True),
    },
)
MODULE_FILES = """
variable "cidr" { type = string }
variable "note" {
  type    = string
  default = "the module's own default"
}
variable "token" {
  type      = string
  sensitive = true
}
variable "count_of" {
  type    = number
  default = 1
}
resource "terraform_data" "it" { input = var.cidr }
output "echo" {
  description = "x"
  value       = { cidr = terraform_data.it.output, note = var.note, count_of = var.count_of }
}
output "secret" {
  value     = var.token
  sensitive = true
}
"""


def variable(key: str, value: str = "v", **rest: Any) -> ResolvedVariable:
    fields = {"kind": "terraform", "sensitive": False, "hcl": False, **rest}
    return ResolvedVariable(version_id=f"varver-{key}", key=key, value=value, **fields)


def test_render_module_source_gives_a_root_module_and_the_backend() -> None:
    spec = validate_spec({"name": "n", "module_source": "modules/network", "inputs": {"cidr": "${evil}", "note": "a"}})
    variables = [
        variable("note"),
        variable("token", sensitive=True),
        variable("undeclared"),
        variable("HOME", kind="env"),
    ]
    files = render(spec, module=MODULE, variables=variables)
    assert sorted(files) == [BACKEND_FILE, ROOT_FILE]
    assert files[ROOT_FILE] == (
        "# Laid out by Sluice from the stack's spec; changes here are not read.\n"
        "\n"
        'variable "note" {\n'
        "}\n"
        "\n"
        'variable "token" {\n'
        "  sensitive = true\n"
        "}\n"
        "\n"
        'module "stack" {\n'
        '  source = "./modules/network"\n'
        '  cidr = "\\u0024{evil}"\n'
        "  note = var.note\n"
        "  token = var.token\n"
        "}\n"
        "\n"
        'output "echo" {\n'
        '  description = "says \\"\\u0024{x}\\""\n'
        "  value = module.stack.echo\n"
        "}\n"
        "\n"
        'output "secret" {\n'
        "  value = module.stack.secret\n"
        "  sensitive = true\n"
        "}\n"
    )
    assert 'backend "local"' in files[BACKEND_FILE]


def test_render_same_input_gives_the_same_files() -> None:
    spec = validate_spec({"name": "n", "module_source": "modules/network", "inputs": {"note": "a", "cidr": "b"}})
    other = validate_spec({"name": "n", "module_source": "modules/network", "inputs": {"cidr": "b", "note": "a"}})
    assert render(spec, module=MODULE) == render(other, module=MODULE)


def test_render_upload_gives_inputs_as_a_variables_file() -> None:
    spec = validate_spec({"name": "n", "configuration_digest": "a" * 64, "inputs": {"a": "${x}", "b": [1, None]}})
    files = render(spec)
    assert sorted(files) == [BACKEND_FILE, INPUTS_FILE]
    assert json.loads(files[INPUTS_FILE]) == {"a": "${x}", "b": [1, None]}
    assert render(validate_spec({"name": "n", "configuration_digest": "a" * 64})).keys() == {BACKEND_FILE}


def test_render_values_of_variables_are_never_written() -> None:
    spec = validate_spec({"name": "n", "module_source": "modules/network"})
    files = render(spec, module=MODULE, variables=[variable("token", "hunter2-secret", sensitive=True)])
    assert "hunter2" not in "".join(files.values())


def test_render_unknown_backend_names_the_known_ones() -> None:
    with pytest.raises(BackendUnknown, match="local"):
        render(validate_spec({"name": "n"}), backend="floppy")


@pytest.mark.parametrize("kind", TERRAFORM_MODULE_KINDS)
def test_every_module_kind_has_a_template(kind: str) -> None:
    assert (renderer.TEMPLATES / f"{kind}.tf.j2").is_file()


def test_every_template_but_the_backends_is_a_module_kind() -> None:
    names = {path.name.removesuffix(".tf.j2") for path in renderer.TEMPLATES.iterdir()}
    assert names == {*TERRAFORM_MODULE_KINDS, "backend"}


def test_template_that_forgets_the_filter_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    environment = renderer._environment()
    with pytest.raises(NotRenderable, match="without the filter"):
        environment.from_string("x = {{ value }}").render(value="text")
    with pytest.raises((UndefinedError, NotRenderable)):
        environment.from_string("x = {{ missing | hcl }}").render()
    with pytest.raises((SecurityError, NotRenderable)):
        environment.from_string("{{ ''.__class__.__mro__[1].__subclasses__() | hcl }}").render()


def test_run_variables_maps_a_secret_to_its_input() -> None:
    spec = validate_spec({"name": "n", "secret_mappings": {"token": "variable:api_key"}})
    found = run_variables(spec, [variable("api_key", "s3cret", sensitive=True), variable("other")])
    assert [(item.key, item.value, item.sensitive) for item in found] == [
        ("api_key", "s3cret", True),
        ("other", "v", False),
        ("token", "s3cret", True),
    ]


@pytest.mark.parametrize("present", [[], [variable("api_key")], [variable("api_key", kind="env", sensitive=True)]])
def test_run_variables_secret_that_is_missing_or_not_sensitive_is_named(present: list[ResolvedVariable]) -> None:
    spec = validate_spec({"name": "n", "secret_mappings": {"token": "variable:api_key"}})
    with pytest.raises(SecretMissing) as caught:
        run_variables(spec, present)
    assert caught.value.fields["errors"][0]["field"] == "secret_mappings.token"


def run_engine(tool: Tool, directory: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    with spawning("the real engine takes what was rendered"):
        return subprocess.run(
            [tool.path, *arguments],
            cwd=directory,
            capture_output=True,
            text=True,
            check=False,
            timeout=120,
            env={"PATH": "/usr/bin:/bin", "TF_IN_AUTOMATION": "1", "CHECKPOINT_DISABLE": "1", "HOME": str(directory)},
        )


@pytest.mark.engine
def test_rendered_root_module_applied_by_the_engine_gives_the_modules_outputs(
    engine_tool: Tool, tmp_path: Path
) -> None:
    spec = validate_spec(
        {"name": "n", "module_source": "modules/network", "inputs": {"cidr": '"${path.root}"\n', "count_of": 3}}
    )
    (tmp_path / "modules" / "network").mkdir(parents=True)
    (tmp_path / "modules" / "network" / "main.tf").write_text(MODULE_FILES)
    token = variable("token", "t0ken", sensitive=True)
    for name, text in render(spec, module=MODULE, variables=[token]).items():
        (tmp_path / name).write_text(text)
    (tmp_path / "v.auto.tfvars.json").write_text(json.dumps({"token": token.value}))
    for arguments in (["init", "-input=false"], ["apply", "-auto-approve", "-input=false"]):
        done = run_engine(engine_tool, tmp_path, *arguments)
        assert done.returncode == 0, done.stdout + done.stderr
    assert "t0ken" not in done.stdout
    outputs = json.loads(run_engine(engine_tool, tmp_path, "output", "-json").stdout)
    assert outputs["echo"]["value"] == {
        "cidr": '"${path.root}"\n',
        "note": "the module's own default",
        "count_of": 3,
    }
    assert outputs["secret"] == {"sensitive": True, "type": "string", "value": "t0ken"}
    assert (tmp_path / "terraform.tfstate").is_file()


@pytest.mark.engine
def test_rendered_inputs_of_an_upload_are_literal_to_the_engine(engine_tool: Tool, tmp_path: Path) -> None:
    inputs = {"text": "${path.root} %{ if true }", "deep": {"a": [1, True, None, "$${x}"]}}
    spec = validate_spec({"name": "n", "configuration_digest": "a" * 64, "inputs": inputs})
    (tmp_path / "main.tf").write_text(
        'terraform {\n  backend "local" { path = "elsewhere/x.tfstate" }\n}\n'
        'variable "text" {}\nvariable "deep" { type = any }\n'
        'output "all" { value = [var.text, var.deep] }\n'
    )
    for name, text in render(spec).items():
        (tmp_path / name).write_text(text)
    for arguments in (["init", "-input=false"], ["apply", "-auto-approve", "-input=false"]):
        done = run_engine(engine_tool, tmp_path, *arguments)
        assert done.returncode == 0, done.stdout + done.stderr
    outputs = json.loads(run_engine(engine_tool, tmp_path, "output", "-json").stdout)
    assert outputs["all"]["value"] == [inputs["text"], inputs["deep"]]
    assert (tmp_path / "terraform.tfstate").is_file()
    assert not (tmp_path / "elsewhere").exists()
