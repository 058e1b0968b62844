"""Fits a job out: the masker of its secrets, the uid of its engines, and the executor in each of its directories."""

import logging

from app.core.masking import Masker, texts_of_sensitive
from app.core.settings import Settings
from app.executor import accounts
from app.executor.discovery import Tool
from app.executor.engine import Report, Site, Variable
from app.executor.options import ExecutorOptions
from app.executor.prepared import Shelf
from app.executor.terraform import TerraformExecutor
from app.runner import workdir
from app.runner.port import JobBackend, RunnerJob

_log = logging.getLogger(__name__)


def masker(job: RunnerJob) -> Masker:
    """Return what masks the job's sensitive variables and its backend's credentials."""
    texts = texts_of_sensitive(job.variables)
    texts += [
        value
        for name, value in job.backend_environment.items()
        if name.endswith("_PASSWORD") or name.startswith("TF_TOKEN_")
    ]
    return Masker(texts)


def take_account(run_id: str) -> tuple[accounts.Account, str | None]:
    """Return a uid for the run's engines, and a warning when another run has it, too."""
    account = accounts.take()
    if not account.is_shared:
        return account, None
    shared = (
        f"all {accounts.COUNT} uids of this machine are taken, so this run shares uid {account.user_id} with another: "
        "let its workers do fewer runs at once."
    )
    _log.warning(shared, extra={"run_id": run_id})
    return account, shared


def executor(
    job: RunnerJob,
    backend: RunnerJob | JobBackend,
    *,
    tool: Tool,
    site: Site,
    options: ExecutorOptions,
    settings: Settings,
    report: Report,
) -> TerraformExecutor:
    """Return the engine in one of the job's directories with one of its backends."""
    return TerraformExecutor(
        tool=tool,
        site=site,
        options=options,
        report=report,
        expected_backend=backend.expected_backend,
        backend_settings=backend.backend_settings,
        variables=[Variable(found.key, found.value, found.hcl) for found in job.variables if found.kind == "terraform"],
        environment={found.key: found.value for found in job.variables if found.kind == "env"},
        backend_environment=job.backend_environment,
        shelf=_shelf(job, tool, options, settings),
    )


def _shelf(job: RunnerJob, tool: Tool, options: ExecutorOptions, settings: Settings) -> Shelf | None:
    """Return where what `init` makes for this job is kept; None where it must not be.

    Without a sandbox a run could write to what another will use; a move between backends initializes two.
    """
    if not settings.reuse_init or options.tools is None or job.configuration is None or job.target is not None:
        return None
    parts = (
        job.organization_id,
        job.workspace_id,
        job.configuration.digest,
        job.module_path,
        job.generated_files,
        job.expected_backend,
        tool.sha256,
        options.cli_config.text if options.cli_config is not None else "",
    )
    return Shelf(workdir.prepared_directory(settings), parts)
