from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from app.configurations import git, git_address
from app.configurations.archive import Limits
from app.configurations.errors import ArchiveRefused, GitFetchFailed, GitSourceRefused
from app.core.errors import AppError
from app.core.outgoing import OutgoingRefused
from app.core.settings import Settings
from tests.support.git_server import Repository, _Server, serving

LIMITS = Limits(packed_bytes=1_000_000, unpacked_bytes=1_000_000, entries=100)
Fetch = Callable[..., git.Fetched]


@pytest.fixture
def root(tmp_path: Path) -> Path:
    # The sandbox's account must be able to look into it.
    for directory in (tmp_path, *tmp_path.parents[:2]):
        directory.chmod(0o755)
    return tmp_path / "repositories"


@pytest.fixture
def repository(root: Path) -> Repository:
    return Repository(root / "policies.git")


@pytest.fixture
def server(root: Path) -> Iterator[_Server]:
    with serving(root) as running:
        yield running


@pytest.fixture(params=["auto", "off"])
def fetch(request: pytest.FixtureRequest) -> Fetch:
    """Fetch with and without a sandbox, from loopback and from this machine."""

    def make(uri: str, limits: Limits = LIMITS, **settings: Any) -> git.Fetched:
        values = {
            "git_protocols": ["http", "file"],
            "outgoing_allowed": ["127.0.0.1"],
            "sandbox": request.param,
            **settings,
        }
        return git.fetch(git_address.parse(uri), Settings(**values), limits)

    return make


def _files(found: git.Fetched) -> dict[str, str]:
    return {entry.path: entry.data.decode() for entry in found.entries}


def test_fetch_reads_a_path_at_a_branch_a_tag_and_a_commit(
    fetch: Fetch, repository: Repository, server: _Server
) -> None:
    first = repository.commit({"net/a.rego": "one", "net/deep/b.rego": "two", "other.txt": "not asked for"})
    repository.git("tag", "--annotate", "--message=x", "v1")
    second = repository.commit({"net/a.rego": "changed"})
    address = f"git+http://{server.host}/policies.git//net"
    newest = fetch(f"{address}?ref=main")
    assert (newest.commit_id, _files(newest)) == (second, {"a.rego": "changed", "deep/b.rego": "two"})
    tagged = fetch(f"{address}?ref=v1")
    assert (tagged.commit_id, _files(tagged)["a.rego"]) == (first, "one")
    assert fetch(f"{address}?ref={first}").commit_id == first
    assert fetch(f"{address}?ref=refs/heads/main").commit_id == second


def test_fetch_reads_one_file_and_a_repository_of_this_server(fetch: Fetch, repository: Repository) -> None:
    commit = repository.commit({"net/a.rego": "one", "b.rego": "two"})
    found = fetch(f"git+file://{repository.directory}//net/a.rego?ref=main")
    assert (found.commit_id, _files(found)) == (commit, {"a.rego": "one"})
    assert _files(fetch(f"git+file://{repository.directory}?ref=main")) == {"net/a.rego": "one", "b.rego": "two"}


def test_fetch_runs_nothing_of_the_repository_and_fetches_no_submodule(
    fetch: Fetch, repository: Repository, root: Path, tmp_path: Path
) -> None:
    trap = tmp_path / "trap"
    repository.commit({"a.rego": "one", ".gitattributes": "* filter=evil export-ignore\n"})
    for name in ("post-checkout", "post-merge", "reference-transaction"):
        hook = repository.directory / ".git" / "hooks" / name
        hook.write_text(f"#!/bin/sh\ntouch {trap}\n")
        hook.chmod(0o755)
    repository.git("config", "filter.evil.smudge", f"touch {trap}")
    assert _files(fetch(f"git+file://{repository.directory}//a.rego?ref=main")) == {"a.rego": "one"}
    assert not trap.exists()

    other = Repository(root / "other")
    other.commit({"x.rego": "x"})
    repository.git("submodule", "--quiet", "add", f"file://{other.directory}", "sub")
    repository.commit({"b.rego": "two"})
    with pytest.raises(GitSourceRefused, match="submodule"):
        fetch(f"git+file://{repository.directory}?ref=main")


def test_fetch_links_inside_are_copied_and_those_that_leave_are_refused(fetch: Fetch, repository: Repository) -> None:
    address = f"git+file://{repository.directory}//net?ref=main"
    repository.commit({"net/a.rego": "one", "net/b.rego": Path("a.rego"), "secret": "x"})
    assert _files(fetch(address)) == {"a.rego": "one", "b.rego": "one"}
    for target in ("../secret", "/etc/passwd"):
        (repository.directory / "net/b.rego").unlink()
        repository.commit({"net/b.rego": Path(target)})
        with pytest.raises(ArchiveRefused, match="leaves"):
            fetch(address)


def test_fetch_size_and_number_of_files_are_limited(fetch: Fetch, repository: Repository) -> None:
    repository.commit({"a.rego": "x" * 2000, "b.rego": "y"})
    address = f"git+file://{repository.directory}?ref=main"
    with pytest.raises(GitSourceRefused, match="may hold 100 with 1000"):
        fetch(address, Limits(packed_bytes=1000, unpacked_bytes=1000, entries=100))
    with pytest.raises(GitSourceRefused, match="may hold 1 with"):
        fetch(address, Limits(packed_bytes=9000, unpacked_bytes=9000, entries=1))


def test_fetch_pack_larger_than_the_disk_limit_is_ended(fetch: Fetch, repository: Repository) -> None:
    import secrets

    repository.commit({"big": secrets.token_hex(3_000_000), "a.rego": "x"})
    with pytest.raises(GitFetchFailed):
        fetch(f"git+file://{repository.directory}//a.rego?ref=main", git_disk_mb=1)


def test_fetch_redirect_is_not_followed(fetch: Fetch, repository: Repository, root: Path, server: _Server) -> None:
    repository.commit({"a.rego": "one"})
    with serving(root) as elsewhere:
        server.redirect_to = f"http://{elsewhere.host}"
        with pytest.raises(GitFetchFailed, match="302"):
            fetch(f"git+http://{server.host}/policies.git?ref=main")
        assert elsewhere.asked == []


def test_fetch_silent_server_is_given_up(fetch: Fetch, server: _Server) -> None:
    server.is_silent = True
    with pytest.raises(GitFetchFailed, match="longer than 1 s"):
        fetch(f"git+http://{server.host}/policies.git?ref=main", git_timeout_seconds=1)


@pytest.mark.parametrize("path", ["/absent.git", "/policies.git//absent"])
def test_fetch_what_is_not_there_says_so(fetch: Fetch, repository: Repository, server: _Server, path: str) -> None:
    repository.commit({"a.rego": "one"})
    with pytest.raises(GitFetchFailed):
        fetch(f"git+http://{server.host}{path}?ref=main")
    with pytest.raises(GitFetchFailed):
        fetch(f"git+http://{server.host}/policies.git?ref=absent")


@pytest.mark.parametrize(
    ("uri", "settings", "error"),
    [
        ("git+http://127.0.0.1:9/x.git?ref=main", {"outgoing_allowed": []}, OutgoingRefused),
        ("git+http://localhost:9/x.git?ref=main", {"outgoing_allowed": []}, OutgoingRefused),
        ("git+https://10.1.2.3/x.git?ref=main", {"git_protocols": ["https"]}, OutgoingRefused),
        ("git+https://169.254.169.254/x.git?ref=main", {"git_protocols": ["https"]}, OutgoingRefused),
        ("git+https://[::1]/x.git?ref=main", {"git_protocols": ["https"]}, OutgoingRefused),
        ("git+file:///etc?ref=main", {"git_protocols": ["https"]}, GitSourceRefused),
        ("git+http://127.0.0.1/x.git?ref=main", {"git_protocols": ["https"]}, GitSourceRefused),
        ("git+ssh://git@127.0.0.1/x.git?ref=main", {"git_protocols": ["ssh"]}, GitSourceRefused),
    ],
)
def test_fetch_refuses_hosts_and_protocols_that_are_not_allowed(
    uri: str, settings: dict[str, Any], error: type[AppError]
) -> None:
    values = {"git_protocols": ["http"], "outgoing_allowed": ["127.0.0.1"], **settings}
    with pytest.raises(error):
        git.fetch(git_address.parse(uri), Settings(**values), LIMITS)


def test_address_is_read_and_written() -> None:
    address = git_address.parse("git+ssh://git@example.org:2222/team/rules.git//net/prod?ref=v1.2")
    assert (address.remote, address.path, address.ref) == (
        "ssh://git@example.org:2222/team/rules.git",
        "net/prod",
        "v1.2",
    )
    assert git_address.parse("git+https://example.org/r.git?ref=main").remote == "https://example.org/r.git"


@pytest.mark.parametrize(
    "uri",
    [
        "git+https://example.org/r.git",
        "git+https://example.org/r.git?ref=",
        "git+https://example.org/r.git?ref=--upload-pack=touch%20x",
        "git+https://example.org/r.git?ref=-x",
        "git+https://example.org/r.git?ref=a..b",
        "git+https://example.org/r.git?ref=+refs/heads/*:refs/heads/*",
        "git+https://example.org/r.git?ref=a:b",
        "git+https://example.org/r.git?ref=main@{1}",
        "git+https://example.org/r.git?ref=main&depth=1",
        "git+https://user:secret@example.org/r.git?ref=main",
        "git+https://user@example.org/r.git?ref=main",
        "git+https://example.org/r.git//../x?ref=main",
        "git+https://example.org/../r.git?ref=main",
        "git+https://example.org/r.git?ref=main#x",
        "git+https://-oProxyCommand=x/r.git?ref=main",
        "git+ssh://-oProxyCommand=x@example.org/r.git?ref=main",
        "git+ext://sh/-c?ref=main",
        "git+file://host/r.git?ref=main",
        "git+https:///r.git?ref=main",
        "git+https://example.org/r.git//a b?ref=main",
        "git+https://example.org/r\n.git?ref=main",
        "git+https://example.org:99999/r.git?ref=main",
        "git+https://example.org/?ref=main",
    ],
)
def test_address_that_is_none_or_smuggles_is_refused(uri: str) -> None:
    with pytest.raises(GitSourceRefused) as refused:
        git_address.parse(uri)
    assert "secret" not in refused.value.detail
