import pytest

from app.executor.requirements import Requirement, read


@pytest.mark.parametrize(
    ("engine", "messages"),
    [
        (
            "tofu",
            [
                "Initializing provider plugins...",
                "terraform.io/builtin/terraform is built in to OpenTofu",
                "Finding latest version of localhost:4433/acme/demo...",
                'Finding hashicorp/time versions matching "~> 0.13, != 0.13.1"...',
            ],
        ),
        (
            "terraform",
            [
                "localhost:4433/acme/demo: Finding latest version...",
                'Finding matching versions for provider: hashicorp/time, version_constraint: "~> 0.13, != 0.13.1"',
            ],
        ),
    ],
)
def test_read_finds_what_an_engine_looks_for(engine: str, messages: list[str]) -> None:
    host = {"tofu": "registry.opentofu.org", "terraform": "registry.terraform.io"}[engine]
    assert read(messages, engine) == [
        Requirement("localhost:4433/acme/demo", ""),
        Requirement(f"{host}/hashicorp/time", "~> 0.13, != 0.13.1"),
    ]


def test_read_leaves_what_is_no_address_or_constraint() -> None:
    assert read(["Finding latest version of ../../x...", 'Finding a/b versions matching "${x}"...'], "tofu") == []
