"""One contract for every blob store: a directory, memory, and the object stores of three clouds."""

import os
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from datetime import timedelta
from pathlib import Path

import pytest

from app.core import artifacts_address, clock
from app.core.artifacts import ArtifactStore
from app.core.blobs import (
    ArtifactStoreRefused,
    ArtifactStoreUnavailable,
    BlobStore,
    FileBlobStore,
    MemoryBlobStore,
)
from app.core.crypto import KeyRing
from app.core.errors import IntegrityError, NotFound
from app.core.object_store import ObjectBlobStore
from tests.support import object_stores
from tests.support.object_stores import ObjectStore

CLOUDS = [
    pytest.param("s3", marks=pytest.mark.processes),
    pytest.param("gs", marks=[pytest.mark.clouds, pytest.mark.gcs, pytest.mark.processes]),
    pytest.param("az", marks=[pytest.mark.clouds, pytest.mark.processes]),
]
MORE_THAN_A_PAGE = 1003


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[[str], ObjectStore]]:
    """Object stores by name, each started when it is first asked for."""
    found: dict[str, ObjectStore] = {}
    with ExitStack() as stack:

        def start(name: str) -> ObjectStore:
            if name not in found:
                directory = tmp_path_factory.mktemp(name)
                found[name] = stack.enter_context(object_stores.RUNNING[name](directory))
            return found[name]

        yield start


def opened(url: str, **given: int) -> ObjectBlobStore:
    place = artifacts_address.parse(url)
    assert isinstance(place, artifacts_address.Bucket)
    return ObjectBlobStore(place, **given)


@pytest.fixture(params=CLOUDS)
def cloud(
    request: pytest.FixtureRequest, running: Callable[[str], ObjectStore], monkeypatch: pytest.MonkeyPatch
) -> ObjectStore:
    found = running(request.param)
    for name in [name for name in os.environ if name.startswith(("AWS_", "GOOGLE_", "AZURE_"))]:
        monkeypatch.delenv(name)
    for name, value in found.environment.items():
        monkeypatch.setenv(name, value)
    return found


@pytest.fixture(params=["file", "memory", *CLOUDS])
def blobs(
    request: pytest.FixtureRequest,
    running: Callable[[str], ObjectStore],
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> Iterator[BlobStore]:
    """Each kind of store, empty."""
    if request.param == "file":
        yield FileBlobStore(tmp_path / "artifacts")
        return
    if request.param == "memory":
        yield MemoryBlobStore()
        return
    found = running(request.param)
    for name, value in found.environment.items():
        monkeypatch.setenv(name, value)
    store = opened(found.url)
    yield store
    for blob in list(store.blobs()):
        store.delete(blob.key)


def keys(blobs: BlobStore) -> list[str]:
    return sorted(blob.key for blob in blobs.blobs())


def test_put_get_what_was_put_comes_back(blobs: BlobStore) -> None:
    data = bytes(range(256)) * 3
    blobs.put("org-1/plan_file/run-1/ab", data)
    assert blobs.get("org-1/plan_file/run-1/ab") == data
    assert blobs.head("org-1/plan_file/run-1/ab", 5) == data[:5]
    assert blobs.head("org-1/plan_file/run-1/ab", 10_000) == data


def test_put_again_replaces(blobs: BlobStore) -> None:
    blobs.put("a/b", b"first")
    blobs.put("a/b", b"second, and longer")
    assert blobs.get("a/b") == b"second, and longer"
    assert keys(blobs) == ["a/b"]


def test_put_nothing_is_something(blobs: BlobStore) -> None:
    blobs.put("a/empty", b"")
    assert blobs.get("a/empty") == b""
    assert blobs.head("a/empty", 10) == b""


def test_put_large_comes_back_whole(blobs: BlobStore) -> None:
    data = os.urandom(1024 * 1024) * 20
    blobs.put("a/large", data)
    assert blobs.get("a/large") == data
    assert blobs.head("a/large", 16) == data[:16]
    [found] = list(blobs.blobs())
    assert found.size == len(data)


def test_get_unknown_key_is_not_found(blobs: BlobStore) -> None:
    blobs.put("a/b", b"x")
    for call in (
        lambda: blobs.get("a/c"),
        lambda: blobs.head("a/c", 4),
        lambda: blobs.get("a"),
        lambda: blobs.get("a/b/c"),
    ):
        with pytest.raises(NotFound):
            call()


def test_delete_is_final_and_quiet(blobs: BlobStore) -> None:
    blobs.put("a/b", b"x")
    blobs.delete("a/b")
    blobs.delete("a/b")
    blobs.delete("never/was")
    with pytest.raises(NotFound):
        blobs.get("a/b")
    assert keys(blobs) == []


def test_blobs_tell_size_and_age_and_leave_out_what_is_hidden(blobs: BlobStore) -> None:
    before = clock.now() - timedelta(seconds=5)
    blobs.put("a/b", b"xyz")
    blobs.put("a/.hidden", b"x")
    blobs.put(".hidden", b"x")
    [found] = list(blobs.blobs())
    assert (found.key, found.size) == ("a/b", 3)
    assert before <= found.modified_at <= clock.now() + timedelta(seconds=5)
    blobs.delete("a/.hidden")
    blobs.delete(".hidden")


@pytest.mark.slow
def test_blobs_more_than_a_page_are_all_listed(blobs: BlobStore) -> None:
    wanted = [f"org-1/plan_file/run-{number:05}/digest" for number in range(MORE_THAN_A_PAGE)]
    threads = [
        threading.Thread(target=lambda part=part: [blobs.put(key, b"x") for key in wanted[part::4]])  # type: ignore[misc]
        for part in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert keys(blobs) == wanted


def test_put_beside_a_reader_shows_the_old_or_the_new_and_never_a_mixture(blobs: BlobStore) -> None:
    versions = [bytes([number]) * 300_000 for number in range(8)]
    blobs.put("a/moving", versions[0])
    seen: list[bytes] = []
    is_over = threading.Event()

    def read() -> None:
        while not is_over.is_set():
            seen.append(blobs.get("a/moving"))

    reader = threading.Thread(target=read)
    reader.start()
    written = 0
    try:
        while written < 20 or len(seen) < 20:
            assert reader.is_alive()
            written += 1
            blobs.put("a/moving", versions[written % len(versions)])
    finally:
        is_over.set()
        reader.join()
    assert all(data in versions for data in seen)
    assert blobs.get("a/moving") == versions[written % len(versions)]


def test_connect_is_quiet(blobs: BlobStore) -> None:
    blobs.connect()
    assert keys(blobs) == []


def test_store_altered_bytes_are_refused(blobs: BlobStore) -> None:
    store = ArtifactStore(blobs, KeyRing({"k": bytes(32)}))
    reference = store.put(b"the plan", organization_id="org-1", kind="plan_file", owner="run-1")
    assert store.get(reference) == b"the plan"
    sealed = bytearray(blobs.get(reference.key))
    sealed[-1] ^= 1
    blobs.put(reference.key, bytes(sealed))
    with pytest.raises(IntegrityError):
        store.get(reference)
    blobs.put(reference.key, b"something else")
    with pytest.raises(IntegrityError):
        store.get(reference)
    store.delete(reference)
    with pytest.raises(NotFound):
        store.get(reference)


def test_store_check_leaves_nothing(blobs: BlobStore) -> None:
    ArtifactStore(blobs, KeyRing({"k": bytes(32)})).check()
    assert keys(blobs) == []


def test_store_sealed_anew_with_a_new_key(blobs: BlobStore) -> None:
    old = ArtifactStore(blobs, KeyRing({"old": bytes(32)}))
    reference = old.put(b"the plan", organization_id="org-1", kind="plan_file", owner="run-1")
    both = ArtifactStore(blobs, KeyRing({"new": b"n" * 32, "old": bytes(32)}))
    assert dict(both.sealed_with()) == {reference.key: "old"}
    both.reseal(reference.key)
    assert dict(both.sealed_with()) == {reference.key: "new"}
    assert ArtifactStore(blobs, KeyRing({"new": b"n" * 32})).get(reference) == b"the plan"
    both.reseal("org-1/plan_file/run-1/gone")


def test_cloud_wrong_credentials_are_refused_with_a_remedy(cloud: ObjectStore, monkeypatch: pytest.MonkeyPatch) -> None:
    if cloud.wrong is None:
        pytest.skip("this server on loopback takes every credential")
    for name, value in cloud.wrong.items():
        monkeypatch.setenv(name, value)
    store = opened(cloud.url)
    for call in (
        lambda: store.put("a", b"x"),
        lambda: store.get("a"),
        lambda: store.delete("a"),
        lambda: list(store.blobs()),
    ):
        with pytest.raises(ArtifactStoreRefused, match="SLUICE_ARTIFACTS_URL") as caught:
            call()
        assert "ACCESS_KEY" in caught.value.detail or "ACCOUNT_KEY" in caught.value.detail
        assert not any(value in caught.value.detail for name, value in cloud.wrong.items() if "KEY" in name)


def test_cloud_without_the_bucket_is_refused_with_its_name(cloud: ObjectStore) -> None:
    store = ArtifactStore(opened(cloud.elsewhere, retries=0), KeyRing({"k": bytes(32)}))
    with pytest.raises(ArtifactStoreRefused, match="no bucket 'nowhere'"):
        store.check()


def test_object_store_that_does_not_answer_is_unavailable(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "x")
    store = opened("s3://artifacts?endpoint=http://127.0.0.1:9&region=eu-west-1", retries=1)
    with pytest.raises(ArtifactStoreUnavailable, match="SLUICE_ARTIFACTS_URL"):
        store.put("a", b"x")
    store.connect()


def test_directory_without_the_right_is_refused(tmp_path: Path) -> None:
    (tmp_path / "artifacts").write_text("a file")
    with pytest.raises(ArtifactStoreUnavailable, match="can't be written to"):
        FileBlobStore(tmp_path / "artifacts").put("a/b", b"x")


def test_directory_key_that_leaves_it_is_not_found(tmp_path: Path) -> None:
    with pytest.raises(NotFound):
        FileBlobStore(tmp_path / "artifacts").get("../secret")
