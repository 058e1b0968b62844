import gzip
import io
import tarfile

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.configurations.archive import Entry, Limits, check_entries, content_digest, pack, read_archive
from app.configurations.errors import ArchiveRefused, ArchiveTooLarge, NoConfigurationFiles
from tests.configurations.archives import archive, link, member, of_files

LIMITS = Limits(packed_bytes=1024 * 1024, unpacked_bytes=4 * 1024 * 1024, entries=50, ratio_free_bytes=64 * 1024)
MAIN = member("main.tf", b"x")


def paths(data: bytes) -> list[str]:
    return [entry.path for entry in read_archive(data, LIMITS)]


@pytest.mark.parametrize(
    ("entry", "words"),
    [
        (member("/etc/passwd", b"x"), "absolute"),
        (member("../x.tf", b"x"), "'..'"),
        (member("a/../../x.tf", b"x"), "'..'"),
        (member("a\\..\\x.tf", b"x"), "backslash"),
        (member("a\nb.tf", b"x"), "printed"),
        (member("x" * 300 + ".tf", b"x"), "too long"),
        (member("dev", type=tarfile.CHRTYPE), "regular file"),
        (member("dev", type=tarfile.BLKTYPE), "regular file"),
        (member("pipe", type=tarfile.FIFOTYPE), "regular file"),
        (link("l", "/etc/passwd"), "leaves the archive"),
        (link("l", "../x"), "leaves the archive"),
        (link("a/l", "../../x"), "leaves the archive"),
        (link("l", ""), "leaves the archive"),
        (member("l", type=tarfile.LNKTYPE, linkname="../x"), "leaves the archive"),
        (link("l", "nothing"), "not in the archive"),
        (link("l", "l"), "without end"),
        (link("l", "."), "without end"),
        (link("a/l", "../a"), "without end"),
        (member("main.tf", b"other"), "twice"),
        (member("main.tf/x", b"x"), "not a directory"),
    ],
)
def test_read_archive_hostile_entry_is_refused_by_name(entry: tuple[tarfile.TarInfo, bytes], words: str) -> None:
    with pytest.raises(ArchiveRefused, match=words) as caught:
        read_archive(archive(MAIN, entry), LIMITS)
    assert caught.value.status == 422
    assert caught.value.fields["entry"]


def test_read_archive_file_below_a_link_is_refused() -> None:
    with pytest.raises(ArchiveRefused, match="not a directory"):
        read_archive(archive(MAIN, member("real/a", b"x"), link("l", "real"), member("l/evil", b"x")), LIMITS)


def test_read_archive_chain_of_links_without_end_is_refused() -> None:
    with pytest.raises(ArchiveRefused, match="without end"):
        read_archive(archive(MAIN, link("a", "b"), link("b", "a")), LIMITS)


def test_read_archive_links_inside_become_copies() -> None:
    data = archive(
        member("shared/main.tf", b"s", mode=0o755),
        link("envs/prod/main.tf", "../../shared/main.tf"),
        link("again", "shared"),
        link("chain", "again"),
        member("hard", type=tarfile.LNKTYPE, linkname="shared/main.tf"),
    )
    found = {entry.path: entry for entry in read_archive(data, LIMITS)}
    assert sorted(found) == ["again/main.tf", "chain/main.tf", "envs/prod/main.tf", "hard", "shared/main.tf"]
    assert all(entry.data == b"s" and entry.is_executable for entry in found.values())


def test_read_archive_links_that_multiply_are_refused() -> None:
    entries = [member("d0/f", b"x" * 1000)]
    entries += [link(f"d{level}/{name}", f"../d{level - 1}") for level in range(1, 12) for name in ("a", "b", "c")]
    with pytest.raises(ArchiveRefused, match="too large"):
        read_archive(archive(MAIN, *entries), LIMITS)


def test_read_archive_state_and_engine_leftovers_are_left_out() -> None:
    names = [
        "main.tf",
        "terraform.tfstate",
        "terraform.tfstate.backup",
        "sub/x.tfstate",
        ".terraform.tfstate.lock.info",
        "errored.tfstate",
        ".terraform/providers/x",
        "sub/.terraform/x",
        "terraform.tfstate.d/a/terraform.tfstate",
        ".git/config",
        ".terraform.lock.hcl",
        "prod.auto.tfvars",
    ]
    assert paths(of_files(dict.fromkeys(names, "x"))) == [".terraform.lock.hcl", "main.tf", "prod.auto.tfvars"]


def test_read_archive_over_a_limit_is_413() -> None:
    zeros = b"\0" * (5 * 1024 * 1024)
    with pytest.raises(ArchiveTooLarge, match="unpacks to more than 4194304 bytes"):
        read_archive(archive(member("a.tf", zeros)), Limits(1024 * 1024, 4 * 1024 * 1024))
    with pytest.raises(ArchiveTooLarge, match="200 times"):
        read_archive(archive(member("a.tf", zeros[: 3 * 1024 * 1024])), LIMITS)
    with pytest.raises(ArchiveTooLarge, match="50 entries") as caught:
        read_archive(of_files({f"{number}.tf": "" for number in range(51)}), LIMITS)
    assert caught.value.status == 413
    with pytest.raises(ArchiveTooLarge, match="may have 10"):
        read_archive(of_files({"a.tf": ""}), Limits(10, 40))


def test_read_archive_bomb_is_refused_before_it_is_unpacked() -> None:
    inner = gzip.compress(b"\0" * (64 * 1024 * 1024), compresslevel=9)
    with pytest.raises((ArchiveTooLarge, ArchiveRefused)):
        read_archive(inner, LIMITS)


@pytest.mark.parametrize(
    "data",
    [b"", b"nonsense", gzip.compress(b"not a tar" * 100), of_files({"a.tf": "x" * 9000})[:-40], b"PK\x03\x04"],
    ids=["empty", "nonsense", "no-tar", "cut-short", "zip"],
)
def test_read_archive_broken_archive_is_refused_with_the_remedy(data: bytes) -> None:
    with pytest.raises(ArchiveRefused, match=r"tar -czf"):
        read_archive(data, LIMITS)


@given(st.binary(max_size=400))
def test_read_archive_any_bytes_never_crash(data: bytes) -> None:
    for candidate in (data, gzip.compress(data)):
        try:
            entries = read_archive(candidate, LIMITS)
        except (ArchiveRefused, ArchiveTooLarge):
            continue
        assert entries == []


def test_content_digest_is_of_content_and_pack_is_the_same_every_time() -> None:
    files = {"main.tf": "a", "sub/x.tf": "b"}
    one = read_archive(of_files(files, mtime=1), LIMITS)
    other = read_archive(of_files(files, order=reversed(files), mtime=999), LIMITS)
    assert content_digest(one) == content_digest(other)
    assert pack(one) == pack(list(reversed(other)))
    assert read_archive(pack(one), LIMITS) == one
    assert content_digest(one) == "85c66665a1aa8db26b3a61dd47d97cc7e8d7967ee36dfa61420fbb3513097ae4"


def test_content_digest_path_mode_and_bytes_all_count() -> None:
    digests = {
        content_digest([Entry("a.tf", b"x")]),
        content_digest([Entry("b.tf", b"x")]),
        content_digest([Entry("a.tf", b"y")]),
        content_digest([Entry("a.tf", b"x", is_executable=True)]),
    }
    assert len(digests) == 4


def test_pack_has_no_owner_and_no_time() -> None:
    with tarfile.open(fileobj=io.BytesIO(pack([Entry("a.sh", b"x", is_executable=True)])), mode="r:gz") as tar:
        info = tar.getmembers()[0]
    assert (info.mtime, info.uid, info.uname, info.mode) == (0, 0, "", 0o755)


def test_check_entries_wants_configuration_where_the_module_is() -> None:
    entries = [Entry("envs/prod/main.tf", b""), Entry("readme.md", b"")]
    check_entries(entries, None)
    check_entries(entries, "envs/prod")
    with pytest.raises(NoConfigurationFiles, match="envs/prod"):
        check_entries(entries, "")
    with pytest.raises(NoConfigurationFiles):
        check_entries([Entry("readme.md", b"")], None)
    for name in ("a.tofu", "a.tf.json", "a.tofu.json"):
        check_entries([Entry(name, b"")], "")


def test_check_entries_names_that_are_kept_for_sluice_are_refused() -> None:
    with pytest.raises(ArchiveRefused, match="zzzz_sluice_"):
        check_entries([Entry("main.tf", b""), Entry("sub/zzzz_sluice_backend_override.tf", b"")], "")
