"""Calls of HCP Terraform's API: authentication, retries, rate limits, pages, and typed errors. JSON:API inside."""

import random
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

import httpx
from pydantic import ValidationError

from app.core.errors import PayloadTooLarge
from app.core.retry_after import retry_after
from app.state.hcp_errors import (
    HcpConflict,
    HcpError,
    HcpForbidden,
    HcpInvalid,
    HcpNotFound,
    HcpRateLimited,
    HcpUnauthorized,
    HcpUnavailable,
    HcpUnexpected,
)
from app.state.hcp_schemas import HcpResource

R = TypeVar("R", bound=HcpResource)
_MEDIA_TYPE = "application/vnd.api+json"
_PAGE_SIZE = 100
_TOO_MANY = 429
_ASKED_WAIT = ("retry-after", "x-ratelimit-reset")
_OF_THE_WIRE = frozenset({"content-encoding", "content-length", "transfer-encoding"})
_IDEMPOTENT = frozenset({"GET", "PUT", "PATCH", "DELETE"})
_ERRORS: dict[int, type[HcpError]] = {
    400: HcpInvalid,
    401: HcpUnauthorized,
    403: HcpForbidden,
    404: HcpNotFound,
    409: HcpConflict,
    413: HcpInvalid,
    422: HcpInvalid,
    _TOO_MANY: HcpRateLimited,
}


@dataclass(frozen=True)
class HcpRetry:
    """How often a call is tried, and how long is waited in between: doubling, with up to as much again by chance.

    ``longest_seconds`` bounds every wait, also one that the server asks for.
    """

    attempts: int = 5
    first_seconds: float = 0.5
    longest_seconds: float = 60.0


class HcpTransport:
    """Sends one call after the other. ``sleep`` and ``chance`` (0 to 1) are given by tests.

    ``guard`` sees the address of every request before it goes out, redirects included, and raises to refuse it. An
    answer of more than ``most_bytes`` raises ``PayloadTooLarge``.
    """

    def __init__(
        self,
        url: str,
        token: str,
        *,
        retry: HcpRetry | None = None,
        sleep: Callable[[float], None] = time.sleep,
        chance: Callable[[], float] = random.random,
        timeout_seconds: float = 30.0,
        guard: Callable[[httpx.URL], None] | None = None,
        most_bytes: int | None = None,
    ) -> None:
        self._base = httpx.URL(url.rstrip("/") + "/api/v2/")
        self._token = token
        self._retry = retry or HcpRetry()
        self._sleep = sleep
        self._chance = chance
        self._most_bytes = most_bytes
        self._client = httpx.Client(
            timeout=httpx.Timeout(timeout_seconds, connect=10.0),
            follow_redirects=True,
            event_hooks={"request": [lambda request: guard(request.url)]} if guard is not None else {},
        )

    def close(self) -> None:
        """Close the connections."""
        self._client.close()

    def get(self, path: str, model: type[R], params: Mapping[str, str] | None = None) -> R:
        """Return one resource."""
        return _resource(self._json("GET", path, params=params), model)

    def send(self, method: str, path: str, model: type[R], document: Mapping[str, Any]) -> R:
        """Send a document and return the resource in the answer."""
        return _resource(self._json(method, path, document=document), model)

    def act(self, method: str, path: str, document: Mapping[str, Any] | None = None) -> None:
        """Send a call whose answer is not looked at."""
        self.call(method, str(self._base.join(path)), document=document)

    def all(self, path: str, model: type[R], params: Mapping[str, str] | None = None) -> list[R]:
        """Return a list that does not come in pages."""
        return _resources(self._json("GET", path, params=params), model)

    def pages(self, path: str, model: type[R], params: Mapping[str, str] | None = None) -> Iterator[R]:
        """Yield every resource of a list, page after page, each fetched when it is needed.

        Raises ``HcpUnexpected`` when the pages go round in a circle.
        """
        number = 1
        while True:
            asked = {**(params or {}), "page[number]": str(number), "page[size]": str(_PAGE_SIZE)}
            document = self._json("GET", path, params=asked)
            yield from _resources(document, model)
            following = _next_page(document)
            if following is None:
                return
            if following <= number:
                raise HcpUnexpected(f"After page {number} of {path} HCP Terraform names page {following} as the next.")
            number = following

    def _json(
        self,
        method: str,
        path: str,
        *,
        params: Mapping[str, str] | None = None,
        document: Mapping[str, Any] | None = None,
    ) -> Any:
        answer = self.call(method, str(self._base.join(path)), params=params, document=document)
        try:
            return answer.json()
        except ValueError:
            raise HcpUnexpected(
                f"HCP Terraform answered {method} {path} with {answer.status_code} and no JSON.",
                http_status=answer.status_code,
            ) from None

    def call(
        self,
        method: str,
        url: str,
        *,
        params: Mapping[str, str] | None = None,
        document: Mapping[str, Any] | None = None,
        content: bytes | None = None,
    ) -> httpx.Response:
        """Send a call, again while that is safe and may help, and return the answer of a success.

        The token goes to HCP Terraform itself only, never to an address that it hands out on another host. A limit on
        calls (429) is waited out for every method, since such a call was not carried out.
        """
        request = self._client.build_request(
            method,
            url,
            params=params,
            json=document,
            content=content,
            headers={"Accept": _MEDIA_TYPE},
        )
        if document is not None:
            request.headers["Content-Type"] = _MEDIA_TYPE
        elif content is not None:
            request.headers["Content-Type"] = "application/octet-stream"
        target = httpx.URL(url)
        if (target.scheme, target.host, target.port) == (self._base.scheme, self._base.host, self._base.port):
            request.headers["Authorization"] = f"Bearer {self._token}"
        attempt = 1
        while True:
            failure, wait = self._attempt(request, attempt)
            if isinstance(failure, httpx.Response):
                return failure
            is_safe = method in _IDEMPOTENT or isinstance(failure, HcpRateLimited)
            is_passing = isinstance(failure, HcpRateLimited | HcpUnavailable)
            if not (is_safe and is_passing) or attempt >= self._retry.attempts:
                raise failure
            attempt += 1
            self._sleep(wait)

    def _attempt(self, request: httpx.Request, attempt: int) -> tuple[httpx.Response | HcpError, float]:
        """Return the answer or the failure, and how long to wait before trying again."""
        pause = self._retry.first_seconds * 2 ** (attempt - 1) * (1 + self._chance())
        where = f"{request.method} {request.url.path}"
        try:
            answer = self._whole(self._client.send(request, stream=True))
        except httpx.HTTPError as error:
            reason = str(error) or type(error).__name__
            return HcpUnavailable(f"HCP Terraform did not answer {where}: {reason}.", attempts=attempt), self._bounded(
                pause
            )
        if answer.is_success:
            return answer, 0.0
        asked = retry_after(answer.headers, names=_ASKED_WAIT)
        failure = _failure(answer, where, asked)
        return failure, self._bounded(asked if asked is not None else pause)

    def _whole(self, answer: httpx.Response) -> httpx.Response:
        """Return the answer with its body, decoded. Raises ``PayloadTooLarge`` when it is more than is taken."""
        parts: list[bytes] = []
        size = 0
        try:
            for part in answer.iter_bytes():
                size += len(part)
                if self._most_bytes is not None and size > self._most_bytes:
                    raise PayloadTooLarge(
                        f"HCP Terraform answered {answer.request.method} {answer.request.url.path} with more than "
                        f"{self._most_bytes} bytes, which is what is taken.",
                        limit_bytes=self._most_bytes,
                    )
                parts.append(part)
        finally:
            answer.close()
        headers = [pair for pair in answer.headers.multi_items() if pair[0] not in _OF_THE_WIRE]
        return httpx.Response(answer.status_code, headers=headers, content=b"".join(parts), request=answer.request)

    def _bounded(self, seconds: float) -> float:
        return min(max(0.0, seconds), self._retry.longest_seconds)


def _failure(answer: httpx.Response, where: str, asked: float | None) -> HcpError:
    errors = _errors(answer)
    said = "; ".join(
        ": ".join(str(part) for part in (error.get("title"), error.get("detail")) if part) for error in errors
    )
    kind = _ERRORS.get(answer.status_code, HcpUnavailable if answer.status_code >= 500 else HcpUnexpected)
    more = {"retry_after_seconds": asked} if kind is HcpRateLimited else {}
    text = f"HCP Terraform answered {where} with {answer.status_code}{f': {said}' if said else ''}."
    return kind(text, http_status=answer.status_code, errors=errors, **more)


def _errors(answer: httpx.Response) -> list[dict[str, Any]]:
    try:
        found = answer.json().get("errors")
    except (ValueError, AttributeError):
        return []
    if not isinstance(found, list):
        return []
    return [error if isinstance(error, dict) else {"title": str(error)} for error in found]


def _resource(document: Any, model: type[R]) -> R:
    data = document.get("data") if isinstance(document, dict) else None
    return _parsed(data, model)


def _resources(document: Any, model: type[R]) -> list[R]:
    data = document.get("data") if isinstance(document, dict) else None
    if not isinstance(data, list):
        raise HcpUnexpected("HCP Terraform answered a list without `data`.")
    return [_parsed(item, model) for item in data]


def _parsed(data: Any, model: type[R]) -> R:
    if not isinstance(data, dict) or "id" not in data:
        raise HcpUnexpected("HCP Terraform answered a resource without `data` or `id`.")
    attributes = data.get("attributes")
    links = data.get("links")
    # A configuration version's upload address is an attribute; a few resources have it among their links.
    joined = {**(links if isinstance(links, dict) else {}), **(attributes if isinstance(attributes, dict) else {})}
    try:
        return model.model_validate({**joined, "id": data["id"]})
    except ValidationError as error:
        names = ", ".join(sorted({".".join(map(str, item["loc"])) for item in error.errors()}))
        raise HcpUnexpected(f"HCP Terraform answered a {model.__name__} whose {names} can't be read.") from None


def _next_page(document: Any) -> int | None:
    try:
        following = document["meta"]["pagination"]["next-page"]
    except (KeyError, TypeError):
        return None
    return following if isinstance(following, int) else None
