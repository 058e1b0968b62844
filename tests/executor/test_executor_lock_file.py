import time

import pytest

from app.executor import lock_file

LOCK = b"""# This file is maintained automatically by "tofu init".

provider "localhost:4433/acme/demo" {
  version     = "1.2.3"
  constraints = "~> 1.0"
  hashes = [
    "zh:1111",
    "zh:2222",
  ]
}

provider "registry.opentofu.org/hashicorp/time" {
  version = "0.14.2"
  hashes = [
    "h1:AbC+/=",
  ]
}
"""


def test_parse_returns_each_provider_with_its_checksums() -> None:
    found = lock_file.parse(LOCK)

    assert list(found) == ["localhost:4433/acme/demo", "registry.opentofu.org/hashicorp/time"]
    assert found["localhost:4433/acme/demo"].version == "1.2.3"
    assert found["localhost:4433/acme/demo"].hashes == {"zh:1111", "zh:2222"}
    assert found["registry.opentofu.org/hashicorp/time"].hashes == {"h1:AbC+/="}
    assert lock_file.parse(None) == {}


def test_parse_leaves_out_what_could_leave_a_directory() -> None:
    for written in (b"../../etc/x", b"a/../b", b"/a/b/c", b"h/n/t/more", b"h//t"):
        assert lock_file.parse(LOCK.replace(b"localhost:4433/acme/demo", written)).keys() == {
            "registry.opentofu.org/hashicorp/time"
        }
    assert len(lock_file.parse(LOCK.replace(b'"1.2.3"', b'"../1.2.3"'))) == 1


def test_with_hash_adds_one_checksum_to_one_provider() -> None:
    changed = lock_file.with_hash(LOCK, "localhost:4433/acme/demo", "h1:new=")

    assert lock_file.parse(changed)["localhost:4433/acme/demo"].hashes == {"h1:new=", "zh:1111", "zh:2222"}
    assert changed.replace(b'    "h1:new=",\n', b"") == LOCK
    assert lock_file.with_hash(LOCK, "localhost:4433/acme/other", "h1:new=") == LOCK


@pytest.mark.parametrize(
    "repeated",
    [
        b'provider "a" {\n',
        b'provider "a" {\n  version\n',
        b'provider "a" {\n  hashes = [\n',
        b"version ",
        b" ",
        b"\n",
        b'"h1:a',
    ],
)
def test_parse_takes_time_in_proportion_to_the_size(repeated: bytes) -> None:
    content = (b'provider "a/b/c" {\n' + repeated * (1024 * 1024 // len(repeated)))[: 1024 * 1024]
    started = time.process_time()
    assert lock_file.parse(content) == {}
    assert lock_file.with_hash(content, "a/b/c", "h1:new=") == content
    assert time.process_time() - started < 5


def test_parse_of_a_file_larger_than_any_engine_writes_finds_nothing() -> None:
    large = LOCK + b"#" * (1024 * 1024 - len(LOCK))
    assert len(lock_file.parse(large)) == 2
    assert lock_file.parse(large + b"#") == {}
    assert lock_file.with_hash(large + b"#", "localhost:4433/acme/demo", "h1:new=") == large + b"#"


def test_with_hash_keeps_what_is_no_text() -> None:
    content = LOCK.replace(b"maintained", b"\xff")
    changed = lock_file.with_hash(content, "localhost:4433/acme/demo", "h1:new=")
    assert changed.replace(b'    "h1:new=",\n', b"") == content
