"""Archives for tests, made entry by entry, with whatever a hostile one would hold."""

import gzip
import io
import tarfile
from collections.abc import Iterable


def member(name: str, data: bytes = b"", **fields: object) -> tuple[tarfile.TarInfo, bytes]:
    """Return one entry; ``fields`` are attributes of ``TarInfo``."""
    info = tarfile.TarInfo(name)
    info.size = len(data)
    for key, value in fields.items():
        setattr(info, key, value)
    return info, data


def link(name: str, target: str) -> tuple[tarfile.TarInfo, bytes]:
    """Return a symbolic link."""
    return member(name, type=tarfile.SYMTYPE, linkname=target)


def archive(*entries: tuple[tarfile.TarInfo, bytes]) -> bytes:
    """Return a tar.gz of the entries."""
    plain = io.BytesIO()
    with tarfile.open(fileobj=plain, mode="w") as tar:
        for info, data in entries:
            tar.addfile(info, io.BytesIO(data))
    return gzip.compress(plain.getvalue())


def of_files(files: dict[str, str], order: Iterable[str] | None = None, mtime: int = 0) -> bytes:
    """Return a tar.gz of text files."""
    return archive(*(member(name, files[name].encode(), mtime=mtime) for name in order or files))
