import gzip
import io
import tarfile
from typing import Any

import pytest
from fastapi.testclient import TestClient
from sqlalchemy.orm import Session

from app.audit import service as audit
from app.audit.schemas import AuditFilter
from app.configurations.errors import ArchiveRefused, ArchiveTooLarge
from app.core.errors import AppError
from app.core.pages import PageParams
from app.core.permissions import Actor
from app.identity.roles import Role
from app.policy import service
from app.policy.errors import PolicySetInvalid, PolicySetNotFound, PolicySetUriRefused
from app.policy.schemas import PolicyAttachmentIn
from tests.support import people
from tests.workspaces.tenant import new_tenant

DENY = '# METADATA\n# title: Never\npackage mine\n\ndeny contains "no"\n'
BUNDLES = "/terraform/policy-bundles"


def tar(files: dict[str, str | tarfile.TarInfo], mode: str = "w:gz") -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode=mode) as archive:  # type: ignore[call-overload]  # the mode is a parameter
        for name, content in files.items():
            if isinstance(content, tarfile.TarInfo):
                content.name = name
                archive.addfile(content)
                continue
            member = tarfile.TarInfo(name)
            member.size = len(content.encode())
            archive.addfile(member, io.BytesIO(content.encode()))
    return buffer.getvalue()


def link(target: str, kind: bytes = tarfile.SYMTYPE) -> tarfile.TarInfo:
    made = tarfile.TarInfo()
    made.type, made.linkname = kind, target
    return made


@pytest.fixture
def actor(session: Session) -> Actor:
    return new_tenant(session)


@pytest.fixture
def admin(session: Session) -> TestClient:
    return people.client(people.person(session, people.organization(session), Role.ADMIN))


@pytest.mark.parametrize(
    "data",
    [
        tar({"a/mine.rego": DENY, "data.json": "{}", "a/mine_test.rego": "package nonsense {", "README.md": "hello"}),
        tar({"./a/mine.rego": DENY, "./data.json": "{}", "fixtures/data.json": "[]"}, "w:"),
    ],
    ids=["tar.gz", "tar"],
)
def test_upload_of_an_archive_is_stored_by_its_content_and_attached(
    session: Session, actor: Actor, data: bytes
) -> None:
    made = service.upload(session, actor, data, "mine")
    assert made.uri == f"upload:sha256:{made.bundle_digest}"
    assert (made.name, made.title, made.files, made.packages) == ("mine", "Never", ["a/mine.rego"], ["mine"])
    assert (made.is_new, made.error) == (True, None)
    again = service.upload(session, actor, tar({"a/mine.rego": DENY, "data.json": "{}"}), "another name")
    assert (again.uri, again.is_new, again.name) == (made.uri, False, "mine")

    body = {"policy_set_uri": made.uri, "enforcement_level": "hard-mandatory"}
    attached = service.attach(session, actor, PolicyAttachmentIn.model_validate(body))
    assert (attached.bundle_digest, attached.commit_id) == (made.bundle_digest, None)
    assert service.sync(session, actor, attached.id).is_changed is False
    listed = service.policy_sets(session, actor)[-1]
    assert (listed.uri, listed.uploaded_by) == (made.uri, made.uploaded_by)
    trail = audit.list_events(session, actor.organization_id, AuditFilter(action="policy.uploaded"), PageParams()).items
    assert [event.evidence["policy_set_uri"] for event in trail] == [made.uri]


def test_upload_of_one_rego_file_over_http(admin: TestClient) -> None:
    made = admin.post(BUNDLES, params={"name": "never.rego"}, content=DENY.encode())
    assert made.status_code == 201, made.text
    assert made.json()["files"] == ["never.rego"]
    source = admin.get("/terraform/policy-sets/source", params={"policy_set_uri": made.json()["uri"]}).json()
    assert source["files"] == {"never.rego": DENY}


def test_upload_stays_in_its_organization(session: Session, actor: Actor) -> None:
    made = service.upload(session, actor, DENY.encode(), "mine")
    other = new_tenant(session)
    body = {"policy_set_uri": made.uri, "enforcement_level": "advisory"}
    with pytest.raises(PolicySetNotFound):
        service.attach(session, other, PolicyAttachmentIn.model_validate(body))
    assert made.uri not in [item.uri for item in service.policy_sets(session, other)]


def test_upload_that_was_only_pinned_can_not_be_attached_as_one(session: Session, actor: Actor) -> None:
    body = {"policy_set_uri": "policies/blast_radius", "enforcement_level": "advisory"}
    shipped = service.attach(session, actor, PolicyAttachmentIn.model_validate(body))
    with pytest.raises(PolicySetNotFound):
        service.compiled_set(actor.organization_id, f"upload:sha256:{shipped.bundle_digest}")


@pytest.mark.parametrize(
    ("data", "error", "said"),
    [
        (tar({"mine.rego": DENY, "x.rego": link("mine.rego")}), ArchiveRefused, "is a link"),
        (tar({"mine.rego": DENY, "x.rego": link("mine.rego", tarfile.LNKTYPE)}), ArchiveRefused, "is a link"),
        (tar({"mine.rego": DENY, "x.rego": link("/etc/passwd")}), ArchiveRefused, "is a link"),
        (tar({"../mine.rego": DENY}), ArchiveRefused, "leaves the archive"),
        (tar({"/mine.rego": DENY}), ArchiveRefused, "absolute"),
        (tar({"mine.rego": DENY, "pipe": link("", tarfile.FIFOTYPE)}), ArchiveRefused, "not a regular file"),
        (tar({"mine.rego": DENY, **{f"n{n}": "x" for n in range(2001)}}), ArchiveTooLarge, "2000 entries"),
        (tar({"mine.rego": DENY, "zeros": "0" * 20_000_000}), ArchiveTooLarge, "unpacks to more"),
        (b"\x1f\x8b" + b"nonsense", ArchiveRefused, "sluice policy upload"),
        (gzip.compress(b"no tar"), ArchiveRefused, "sluice policy upload"),
        (tar({"README.md": "hello"}), PolicySetInvalid, "no .rego file"),
        (tar({"mine.rego": DENY, "sub/data.json": "{}"}), PolicySetInvalid, "sub/data.json would be left out"),
        (tar({"mine file.rego": DENY}), PolicySetInvalid, "characters"),
        (tar({f"m{n}.rego": DENY for n in range(201)}), PolicySetInvalid, "at most 200"),
        (b"package mine\ndeny contains {", PolicySetInvalid, "mine"),
        (b"\xff\xfe", PolicySetInvalid, "not UTF-8"),
        (b"", PolicySetInvalid, "package"),
    ],
    ids=[
        "link",
        "hard link",
        "link out",
        "above",
        "absolute",
        "pipe",
        "too many",
        "bomb",
        "no gzip",
        "no tar",
        "no policy",
        "data below",
        "name",
        "too many files",
        "syntax",
        "no text",
        "empty",
    ],
)
def test_upload_that_is_hostile_or_broken_is_refused(
    session: Session, actor: Actor, data: bytes, error: type[AppError], said: str
) -> None:
    with pytest.raises(error) as refused:
        service.upload(session, actor, data, "mine.rego")
    assert said in refused.value.detail


def test_upload_larger_than_the_limit_is_refused_while_it_is_read(admin: TestClient) -> None:
    refused = admin.post(BUNDLES, content=b"x" * (4 * 1024 * 1024 + 1))
    assert (refused.status_code, refused.json()["code"]) == (413, "archive_too_large")


@pytest.mark.parametrize(
    "uri", ["upload:x", "upload:sha256:abc", "upload:sha256:" + "G" * 64, "upload:md5:" + "a" * 64]
)
def test_upload_address_that_is_none_is_refused(session: Session, actor: Actor, uri: str) -> None:
    with pytest.raises(PolicySetUriRefused):
        service.compiled_set(actor.organization_id, uri)


def test_upload_needs_the_right_to_write_policies(session: Session) -> None:
    viewer: Any = people.client(people.person(session, people.organization(session), Role.VIEWER))
    assert viewer.post(BUNDLES, content=DENY.encode()).status_code == 403
