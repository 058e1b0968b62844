import pytest

from app.executor.environment import EnvironmentOptions, check_user_variable, engine_environment
from app.executor.errors import ForbiddenVariable

OPTIONS = EnvironmentOptions(home="/home/engine", temporary="/tmp")


@pytest.mark.parametrize(
    "name",
    [
        "TF_CLI_ARGS",
        "TF_CLI_ARGS_apply",
        "TF_TOKEN_app_terraform_io",
        "TF_DATA_DIR",
        "TF_WORKSPACE",
        "TF_LOG",
        "TF_CLI_CONFIG_FILE",
        "TF_VAR_",
        "tf_cli_args",
        "LD_PRELOAD",
        "LD_LIBRARY_PATH",
        "ld_preload",
        "SLUICE_MASTER_KEY",
        "Sluice_x",
        "GLIBC_TUNABLES",
        "GCONV_PATH",
        "BASH_ENV",
        "",
        "1ABC",
        "A-B",
        "A=B",
        "A\n",
    ],
)
def test_reserved_variable_is_refused_by_name(name: str) -> None:
    with pytest.raises(ForbiddenVariable) as caught:
        check_user_variable(name)
    assert caught.value.fields["variable"] == name
    assert caught.value.status == 422


@pytest.mark.parametrize("name", ["TF_VAR_region", "AWS_PROFILE", "GOOGLE_CREDENTIALS", "_", "HTTP_PROXY", "TFX"])
def test_ordinary_variable_is_allowed(name: str) -> None:
    check_user_variable(name, "value")


def test_value_with_nul_is_refused() -> None:
    with pytest.raises(ForbiddenVariable, match="NUL"):
        check_user_variable("A", "x\0y")


def test_environment_holds_nothing_of_the_worker_but_the_allow_list() -> None:
    inherited = {
        "LANG": "C.UTF-8",
        "SSL_CERT_FILE": "/etc/ssl/ca.pem",
        "https_proxy": "http://proxy",
        "SLUICE_DATABASE_URL": "secret",
        "AWS_SECRET_ACCESS_KEY": "secret",
        "TF_LOG": "trace",
        "PYTHONPATH": "/x",
        "PATH": "/worker/bin",
        "HOME": "/worker",
    }
    assert engine_environment(inherited, {"AWS_REGION": "eu-west-1", "TF_VAR_a": "1"}, OPTIONS) == {
        "LANG": "C.UTF-8",
        "SSL_CERT_FILE": "/etc/ssl/ca.pem",
        "https_proxy": "http://proxy",
        "PATH": OPTIONS.path,
        "HOME": "/home/engine",
        "TMPDIR": "/tmp",
        "AWS_REGION": "eu-west-1",
        "TF_VAR_a": "1",
        "TF_IN_AUTOMATION": "1",
        "TF_INPUT": "0",
        "CHECKPOINT_DISABLE": "1",
    }


def test_environment_names_the_cli_configuration_when_there_is_one() -> None:
    options = EnvironmentOptions(home="/h", temporary="/t", cli_config_file="/sluice/cli.tfrc")
    assert engine_environment({}, {}, options)["TF_CLI_CONFIG_FILE"] == "/sluice/cli.tfrc"


def test_environment_with_a_reserved_variable_is_refused() -> None:
    with pytest.raises(ForbiddenVariable):
        engine_environment({}, {"TF_CLI_ARGS": "-destroy"}, OPTIONS)
