import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.configurations.interface import is_single_expression, read_interface
from app.configurations.schemas import OutputInfo, VariableInfo

NATIVE = r"""
# variable "commented" {}
// variable "commented2" {}
/* variable "commented3" {} */
variable "cidr" { type = string }
variable "tricky" {
  description = "a } brace, a \" quote, ${"nested } ${"deep"}"} and %{ if true }x%{ endif } and $${literal}"
  type = object({
    name = string
    variable = optional(string)
  })
  default = {
    variable = "x"
  }
  sensitive = true
  validation {
    condition     = length(var.tricky.name) > 0 && !can(regex("}", var.tricky.name))
    error_message = "No."
  }
}
locals {
  heredoc = <<-EOT
    variable "in_heredoc" {}
    output "in_heredoc" { value = 1 }
  EOT
  same = { output = "x" }
}
output "id" {
  description = "The id."
  value       = [for x in local.same : x][0]
}
output "token" {
  value     = var.tricky
  sensitive = true
}
output "unset" {
  value     = 1
  sensitive = false
}
module "inner" {
  source = "../other"
}
"""


def test_read_interface_native_syntax() -> None:
    found = read_interface({"main.tf": NATIVE.encode(), "readme.md": b'variable "no" {}'})
    assert found.variables == {"cidr": VariableInfo(True, False), "tricky": VariableInfo(False, True)}
    assert found.outputs == {
        "id": OutputInfo(False, "The id."),
        "token": OutputInfo(True),
        "unset": OutputInfo(False),
    }
    assert found.module_sources == ["../other"]


def test_read_interface_json_syntax() -> None:
    text = b"""{"variable": [{"a": {"default": 1}}, {"b": {"sensitive": true}}],
               "output": {"o": {"value": "x", "description": "d"}}, "module": {"m": {"source": "./x"}}}"""
    found = read_interface({"main.tf.json": text, "broken.tf.json": b"{"})
    assert found.variables == {"a": VariableInfo(False, False), "b": VariableInfo(True, True)}
    assert found.outputs == {"o": OutputInfo(False, "d")}
    assert found.module_sources == ["./x"]


@given(st.text(st.sampled_from('variable output "x"{}=\n#<-EOT${%\\/*'), max_size=200))
def test_read_interface_any_text_never_fails(text: str) -> None:
    read_interface({"main.tf": text.encode(), "x.tf.json": text.encode()})
    is_single_expression(text)


@given(st.text(st.sampled_from('a"{}[]()=\n#<-EOT${%\\/* ,1'), max_size=60))
def test_is_single_expression_true_never_lets_a_line_end_outside_of_brackets(text: str) -> None:
    if is_single_expression(text):
        found = read_interface({"main.tf": f'variable "a" {{\n  default = {text}\n}}\noutput "after" {{}}\n'.encode()})
        assert found.variables.keys() == {"a"}
        assert found.outputs.keys() == {"after"}


@pytest.mark.parametrize("row", ["/*", "<<A ", "<<A\n", '"${', '\\"', "{", '["'])
def test_what_never_closes_takes_no_square_of_its_length(row: str) -> None:
    text = row * 40_000
    began = time.process_time()
    read_interface({"main.tf": text.encode()})
    assert not is_single_expression(f"[{text}")
    assert time.process_time() - began < 5
