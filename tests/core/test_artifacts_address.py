"""What SLUICE_ARTIFACTS_URL may say."""

from pathlib import Path

import pytest
from pydantic import ValidationError

from app.core.artifacts import blob_store
from app.core.artifacts_address import Bucket, Directory, parse
from app.core.blobs import FileBlobStore
from app.core.settings import Settings


def test_parse_paths_are_directories() -> None:
    assert parse("/srv/artifacts") == Directory(Path("/srv/artifacts"))
    assert parse("file:///srv/some%20where") == Directory(Path("/srv/some where"))


def test_parse_buckets_with_prefix_and_options() -> None:
    found = parse("s3://bucket/a/b/?region=eu-west-1&endpoint=https://minio.example.org:9000")
    assert found == Bucket("s3", "bucket", "a/b", {"region": "eu-west-1", "endpoint": "https://minio.example.org:9000"})
    assert str(found) == "s3://bucket/a/b"
    assert parse("gs://bucket") == Bucket("gs", "bucket", "")
    assert parse("az://container/p?account=acme") == Bucket("az", "container", "p", {"account": "acme"})


@pytest.mark.parametrize(
    ("address", "said"),
    [
        ("artifacts", "absolute path"),
        ("file://host/srv", "absolute path"),
        ("https://bucket.example.org", "begin with"),
        ("s3://", "name a bucket"),
        ("s3://key:secret@bucket", "no credentials"),
        ("s3://bucket?acl=public", "acl"),
        ("s3://bucket?region=", "region"),
        ("gs://bucket?region=eu", "region"),
        ("s3://bucket?endpoint=minio:9000", "https://"),
        ("s3://bucket/a//b", "prefix"),
        ("s3://bucket/../b", "prefix"),
    ],
)
def test_parse_what_is_wrong_is_said(address: str, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        parse(address)
    with pytest.raises(ValidationError, match=said):
        Settings(artifacts_url=address)


def test_settings_without_an_address_keep_artifacts_in_the_home(tmp_path: Path) -> None:
    for settings in (Settings(home=tmp_path), Settings(home=tmp_path, artifacts_url="")):
        assert settings.artifacts_place == Directory(tmp_path / "artifacts")
        assert isinstance(blob_store(settings), FileBlobStore)
