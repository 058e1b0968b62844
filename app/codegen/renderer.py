"""The templates: strict, sandboxed, and unable to give out a value that no filter has made HCL."""

from functools import lru_cache
from pathlib import Path
from typing import Any

from jinja2 import FileSystemLoader, StrictUndefined
from jinja2.sandbox import ImmutableSandboxedEnvironment

from app.codegen.errors import NotRenderable
from app.codegen.hcl import Hcl, identifier, literal

TEMPLATES = Path(__file__).resolve().parents[2] / "codegen" / "templates"


def _only_hcl(value: Any) -> Any:
    """Jinja gives every expression's value to this before it is written."""
    if not isinstance(value, Hcl):
        raise NotRenderable(f"A template wrote {value!r} without the filter `hcl` or `identifier`: add one.")
    return value


@lru_cache(maxsize=1)
def _environment() -> ImmutableSandboxedEnvironment:
    environment = ImmutableSandboxedEnvironment(
        loader=FileSystemLoader(TEMPLATES),
        undefined=StrictUndefined,
        # HTML's escapes are wrong here; `finalize` refuses whatever was not escaped for HCL.
        autoescape=False,
        finalize=_only_hcl,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.filters = {"hcl": literal, "identifier": identifier}
    return environment


def render_template(name: str, **values: Any) -> str:
    """Return the template ``name`` (without ``.tf.j2``) with ``values``. Raises ``NotRenderable``."""
    return _environment().get_template(f"{name}.tf.j2").render(values)
