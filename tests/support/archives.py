"""Configurations as they are uploaded."""

import io
import tarfile
from collections.abc import Mapping

ONE = {"main.tf": 'resource "terraform_data" "a" {}\n'}


def archive(files: Mapping[str, str] = ONE) -> bytes:
    """Return files as the tar.gz of a configuration."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as tar:
        for name, text in files.items():
            content = text.encode()
            info = tarfile.TarInfo(name)
            info.size = len(content)
            tar.addfile(info, io.BytesIO(content))
    return buffer.getvalue()
