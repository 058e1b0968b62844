"""Object stores on loopback for the artifact store: their addresses and the environment of their clients."""

import json
import re
import secrets
import threading
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import ClassVar
from urllib.parse import parse_qs, quote, unquote, urlsplit

import httpx

from tests.support import aws, clouds

REGION = "eu-west-1"


@dataclass(frozen=True)
class ObjectStore:
    """One object store with a bucket.

    ``environment`` gives a client its credentials, ``wrong`` others that are refused (None where every one is taken).
    """

    url: str
    environment: dict[str, str]
    elsewhere: str = field(kw_only=True)
    """The same store, with a bucket that is not there."""
    wrong: dict[str, str] | None = field(default=None, kw_only=True)


@contextmanager
def running_s3(directory: Path) -> Iterator[ObjectStore]:
    """Run an S3 API that checks who asks."""
    with aws.running_api(directory / "objects-s3.log") as endpoint:
        httpx.put(f"{endpoint}/artifacts").raise_for_status()
        environment = _user_of_aws(endpoint)
        httpx.post(f"{endpoint}/moto-api/reset-auth", content=b"0").raise_for_status()
        query = f"?region={REGION}&endpoint={endpoint}"
        yield ObjectStore(
            f"s3://artifacts/of/sluice{query}",
            environment,
            elsewhere=f"s3://nowhere/of/sluice{query}",
            wrong={**environment, "AWS_ACCESS_KEY_ID": "AKIAUNKNOWN000000000"},
        )


def _user_of_aws(endpoint: str) -> dict[str, str]:
    """Make a user who may do everything with objects; return its credentials."""
    policy = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "s3:*", "Resource": "*"}]}

    def ask(action: str, **fields: str) -> str:
        signed = "AWS4-HMAC-SHA256 Credential=test/20260101/us-east-1/iam/aws4_request, Signature=test"
        fields = {"Action": action, "Version": "2010-05-08", "UserName": "sluice", **fields}
        answer = httpx.post(endpoint, data=fields, headers={"Authorization": signed})
        return answer.raise_for_status().text

    ask("CreateUser")
    ask("PutUserPolicy", PolicyName="objects", PolicyDocument=json.dumps(policy))
    made = ask("CreateAccessKey")
    names = {"AWS_ACCESS_KEY_ID": "AccessKeyId", "AWS_SECRET_ACCESS_KEY": "SecretAccessKey"}
    found = {name: re.search(f"<{tag}>(.*?)</{tag}>", made) for name, tag in names.items()}
    return {name: match.group(1) for name, match in found.items() if match is not None}


@contextmanager
def running_gcs(directory: Path) -> Iterator[ObjectStore]:
    """Run Google Cloud Storage, with the uploads of its XML API before it."""
    with clouds.running_gcs(directory) as cloud:
        upstream = str(cloud.settings["storage_custom_endpoint"]).removesuffix("/storage/v1/")
        with _xml_uploads(upstream) as endpoint:
            account = {"gcs_base_url": endpoint, "disable_oauth": True, "client_email": ""}
            key = json.dumps({**account, "private_key": "", "private_key_id": ""})
            query = f"?endpoint={endpoint}"
            yield ObjectStore(
                f"gs://{clouds.BUCKET}/of/sluice{query}",
                {"GOOGLE_SERVICE_ACCOUNT_KEY": key},
                elsewhere=f"gs://nowhere/of/sluice{query}",
            )


@contextmanager
def running_azure(directory: Path) -> Iterator[ObjectStore]:
    """Run Azure's blobs, reached as a company's network would have it: by a proxy, with a certificate of its own."""
    with clouds.running_azure(directory) as cloud:
        environment = {
            **cloud.environment,
            **cloud.inherited,
            "AZURE_STORAGE_ACCOUNT_KEY": cloud.secrets["ARM_ACCESS_KEY"],
        }
        yield ObjectStore(
            f"az://{clouds.CONTAINER}/of/sluice?account={clouds.ACCOUNT}",
            environment,
            elsewhere=f"az://nowhere/of/sluice?account={clouds.ACCOUNT}",
            wrong={**environment, "AZURE_STORAGE_ACCOUNT_KEY": "AAAA" + secrets.token_hex(8)},
        )


class _XmlUploads(BaseHTTPRequestHandler):
    """Hands everything on to fake-gcs-server, but for uploads, of which it knows the JSON API's alone.

    https://cloud.google.com/storage/docs/xml-api/put-object-upload and post-object-multipart
    """

    protocol_version = "HTTP/1.1"
    upstream: ClassVar[httpx.Client]
    parts: ClassVar[dict[str, dict[int, bytes]]]

    def log_message(self, *_: object) -> None:
        """Say nothing."""

    def handle_one_request(self) -> None:
        try:
            super().handle_one_request()
        except ConnectionError:
            self.close_connection = True

    def _body(self) -> bytes:
        return self.rfile.read(int(self.headers.get("Content-Length") or 0))

    def _answer(self, status: int, body: bytes = b"", **headers: str) -> None:
        self.send_response(status)
        for name, value in {**headers, "Content-Length": str(len(body))}.items():
            self.send_header(name.replace("_", "-"), value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def _hand_on(self) -> None:
        headers = {name: value for name, value in self.headers.items() if name.lower() in {"range", "accept"}}
        answer = self.upstream.request(self.command, self.path, content=self._body(), headers=headers)
        kept = {"ETag", "Content-Type", "Last-Modified", "Content-Range", "x-goog-generation"}
        self._answer(
            answer.status_code,
            answer.content,
            **{name: answer.headers[name] for name in kept if name in answer.headers},
        )

    do_GET = do_HEAD = do_DELETE = _hand_on  # noqa: N815 - names of the standard library

    def do_PUT(self) -> None:
        """Take a part, or a whole object."""
        query = parse_qs(urlsplit(self.path).query)
        if "uploadId" in query:
            self.parts[query["uploadId"][0]][int(query["partNumber"][0])] = self._body()
            self._answer(200, ETag=f'"{query["partNumber"][0]}"')
            return
        self._upload(self._body())

    def do_POST(self) -> None:
        """Begin and end an upload in parts."""
        parts = urlsplit(self.path)
        query = parse_qs(parts.query, keep_blank_values=True)
        body = self._body()
        if "uploads" in query:
            upload = uuid.uuid4().hex
            self.parts[upload] = {}
            self._answer(
                200,
                f"<InitiateMultipartUploadResult><UploadId>{upload}</UploadId></InitiateMultipartUploadResult>".encode(),
            )
            return
        found = self.parts.pop(query["uploadId"][0])
        assert body.count(b"<Part>") == len(found)
        self._upload(b"".join(data for _, data in sorted(found.items())), is_multipart=True)

    def _upload(self, data: bytes, *, is_multipart: bool = False) -> None:
        bucket, _, name = urlsplit(self.path).path.lstrip("/").partition("/")
        answer = self.upstream.post(
            f"/upload/storage/v1/b/{bucket}/o?uploadType=media&name={quote(unquote(name), safe='')}",
            content=data,
            headers={"Content-Type": "application/octet-stream"},
        )
        body = b""
        if is_multipart:
            body = b"<CompleteMultipartUploadResult><ETag>e</ETag></CompleteMultipartUploadResult>"
        self._answer(answer.status_code, body, ETag='"e"', x_goog_generation="1")


@contextmanager
def _xml_uploads(upstream: str) -> Iterator[str]:
    with httpx.Client(base_url=upstream, timeout=30) as client:
        handler = type("Handler", (_XmlUploads,), {"upstream": client, "parts": {}})
        with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
            server.daemon_threads = True
            thread = threading.Thread(target=server.serve_forever, daemon=True)
            thread.start()
            try:
                yield f"http://127.0.0.1:{server.server_address[1]}"
            finally:
                server.shutdown()
                thread.join()


RUNNING = {"s3": running_s3, "gs": running_gcs, "az": running_azure}
