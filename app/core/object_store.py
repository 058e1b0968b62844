"""Blobs in a cloud's object store: S3 and what speaks its API, Google Cloud Storage, Azure blobs.

Over ``obstore``, whose operations run on threads of its own. They do not survive a fork, so no process that forks
others may make a call here: supervisors make their first one themselves.
"""

import os
import re
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import timedelta
from typing import TYPE_CHECKING

from app.core.artifacts_address import Bucket
from app.core.blobs import HIDDEN, ArtifactStoreRefused, ArtifactStoreUnavailable, StoredBlob, not_stored
from app.core.errors import AppError, NotFound

if TYPE_CHECKING:
    from obstore.store import AzureStore, ClientConfig, GCSStore, RetryConfig, S3Store

    ObStore = S3Store | GCSStore | AzureStore

_CREDENTIALS = {
    "s3": "AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or a role of the machine",
    "gs": "GOOGLE_APPLICATION_CREDENTIALS, or a service account of the machine",
    "az": "AZURE_STORAGE_ACCOUNT_NAME and AZURE_STORAGE_ACCOUNT_KEY, or AZURE_CLIENT_ID and its like, or an identity "
    "of the machine",
}
_PART_BYTES = 8 * 1024 * 1024
_PARTS_AT_ONCE = 4
# A request may carry all of a large blob (a part of it when it is sent); what stands still is given up much sooner.
_REQUEST_SECONDS = 600
_SILENCE_SECONDS = 30
_CONNECT_SECONDS = 5
_RETRIES = 5
_RETRY_SECONDS = 60
_ABSENT = ("404 Not Found",)
_FORBIDDEN = ("403 Forbidden", "401 Unauthorized")
# Asked for a token where the environment names no credentials.
_METADATA = ("169.254.169.254", "metadata.google.internal")
_OF_AZURE = {"account": "account_name", "endpoint": "endpoint"}
_QUERY = re.compile(r"\?[^\s\"')]*")


class ObjectBlobStore:
    """Blobs below a prefix of one bucket. ``retries`` bounds how often a call that failed is made again."""

    def __init__(self, bucket: Bucket, *, retries: int = _RETRIES) -> None:
        self._bucket = bucket
        self._retries = retries
        self._made: ObStore | None = None
        self._used_by: int | None = None

    def put(self, key: str, data: bytes) -> None:
        """Store in one request; what is large in parts, which become visible together."""
        import obstore

        with self._translated(key, is_reading=False):
            obstore.put(self._store(), key, data, chunk_size=_PART_BYTES, max_concurrency=_PARTS_AT_ONCE)

    def get(self, key: str) -> bytes:
        """Read all of it."""
        import obstore

        with self._translated(key):
            return bytes(obstore.get(self._store(), key).bytes())

    def delete(self, key: str) -> None:
        """Remove the object."""
        import obstore

        try:
            with self._translated(key):
                obstore.delete(self._store(), key)
        except NotFound:
            return

    def blobs(self, below: str = "") -> Iterator[StoredBlob]:
        """List page by page."""
        import obstore

        with self._translated(""):
            pages = iter(obstore.list(self._store(), prefix=below or None))
        while True:
            with self._translated(""):
                page = next(pages, None)
            if page is None:
                return
            for found in page:
                if not found["path"].rpartition("/")[2].startswith(HIDDEN):
                    yield StoredBlob(found["path"], found["size"], found["last_modified"])

    def head(self, key: str, length: int) -> bytes:
        """Ask for the range."""
        import obstore

        try:
            with self._translated(key):
                return bytes(obstore.get_range(self._store(), key, start=0, length=length))
        except ArtifactStoreUnavailable as error:
            # No range can be had of an object without bytes.
            if "416 " in str(error.__cause__):
                return b""
            raise

    def connect(self) -> None:
        """Fetch credentials and open a connection, by asking for what is not there."""
        with suppress(AppError):
            self.head(f"{HIDDEN}nothing", 1)

    def _store(self) -> "ObStore":
        """Return the client, made at the first call. Raises ``RuntimeError`` in a child of a process that used it."""
        if self._used_by is None:
            self._used_by = os.getpid()
        elif self._used_by != os.getpid():
            raise RuntimeError("the object store's client was used before this process was forked")
        if self._made is None:
            self._made = self._make()
        return self._made

    def _make(self) -> "ObStore":
        from obstore.store import AzureStore, GCSStore, S3Store

        bucket, options = self._bucket, self._bucket.options
        client: ClientConfig = {
            "connect_timeout": timedelta(seconds=_CONNECT_SECONDS),
            "read_timeout": timedelta(seconds=_SILENCE_SECONDS),
            "timeout": timedelta(seconds=_REQUEST_SECONDS),
            "allow_http": options.get("endpoint", "").startswith("http://"),
            "user_agent": "sluice",
        }
        retry: RetryConfig = {
            "max_retries": self._retries,
            "retry_timeout": timedelta(seconds=_RETRY_SECONDS),
            "backoff": {"init_backoff": timedelta(milliseconds=100), "max_backoff": timedelta(seconds=5), "base": 2},
        }
        prefix = bucket.prefix or None
        try:
            # Whatever the address leaves open, credentials above all, the environment says.
            if bucket.cloud == "s3":
                named = {name: options[name] for name in ("region", "endpoint") if name in options}
                return S3Store(bucket.name, prefix=prefix, client_options=client, retry_config=retry, **named)  # type: ignore[arg-type]
            if bucket.cloud == "gs":
                named = {"base_url": options["endpoint"]} if "endpoint" in options else {}
                return GCSStore(bucket.name, prefix=prefix, client_options=client, retry_config=retry, **named)  # type: ignore[arg-type]
            named = {theirs: options[ours] for ours, theirs in _OF_AZURE.items() if ours in options}
            return AzureStore(bucket.name, prefix=prefix, client_options=client, retry_config=retry, **named)  # type: ignore[arg-type]
        except (
            Exception
        ) as error:  # the library's base class covers what its operations raise, not what making one does
            raise ArtifactStoreRefused(self._said(error, f"Set {_CREDENTIALS[bucket.cloud]}.")) from error

    @contextmanager
    def _translated(self, key: str, *, is_reading: bool = True) -> Iterator[None]:
        """Turn the library's errors into ours."""
        from obstore import exceptions

        try:
            yield
        except FileNotFoundError as error:
            if is_reading:
                raise not_stored(key) from error
            raise self._refused(error, _ABSENT) from error
        except (exceptions.PermissionDeniedError, exceptions.UnauthenticatedError) as error:
            raise self._refused(error, _FORBIDDEN) from error
        except exceptions.BaseError as error:
            # Of a listing the library tells these by their text alone.
            for why in (_METADATA, _ABSENT, _FORBIDDEN):
                if any(sign in str(error) for sign in why):
                    raise self._refused(error, why) from error
            raise ArtifactStoreUnavailable(self._said(error, "Correct SLUICE_ARTIFACTS_URL if it stays so.")) from error

    def _refused(self, error: Exception, why: tuple[str, ...]) -> ArtifactStoreRefused:
        credentials = _CREDENTIALS[self._bucket.cloud]
        remedy = {
            _ABSENT: f"There is no bucket {self._bucket.name!r}: make it, or correct SLUICE_ARTIFACTS_URL.",
            _FORBIDDEN: f"Correct {credentials}, and what they may do: read, write, delete and list below the prefix.",
            _METADATA: f"No credentials were found: set {credentials}.",
        }[why]
        return ArtifactStoreRefused(self._said(error, remedy))

    def _said(self, error: Exception, remedy: str) -> str:
        # The first line alone, and no query: behind it stand details for programmers, in it signatures.
        first = _QUERY.sub("", str(error).split("\n", 1)[0]).split(": <", 1)[0].rstrip(".")
        return f"The artifact store {self._bucket} (SLUICE_ARTIFACTS_URL) failed: {first}. {remedy}"
