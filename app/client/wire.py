"""What the sync and the async client share: addresses, headers, and how answers and failures are read. No I/O."""

import ipaddress
import json
import logging
from typing import Any, TypeVar
from urllib.parse import urlsplit

import httpx
from pydantic import ValidationError

from app.client.calls import Call
from app.client.errors import ApiError, ClientError, LocalProblem, UnexpectedAnswer, Unreachable
from app.client.events import HEARTBEAT_SECONDS, SILENCE_SECONDS, EventsLost
from app.client.models import ProgressPage

T = TypeVar("T")

USER_AGENT = "sluice-client"
MAX_FRAME_BYTES = 128 * 1024 * 1024

# The WebSocket library writes its handshake, and so the token, into its debug log.
QUIET_LOG = logging.getLogger("app.client.websocket")
QUIET_LOG.disabled = True


def check_url(url: str) -> str:
    """Return the address without a slash at its end. Raises ``LocalProblem`` when it is none."""
    stripped = url.strip().rstrip("/")
    parts = urlsplit(stripped)
    if parts.scheme not in {"http", "https"} or not parts.hostname:
        raise LocalProblem(
            f"{url!r} is not an address of Sluice: write SLUICE_URL (or --url) as https://host or http://host:port.",
            "url_invalid",
        )
    return stripped


def check_token(token: str | None) -> str | None:
    """Return the token without white space around it. Raises ``LocalProblem`` when it can't be a header's value."""
    stripped = (token or "").strip()
    if not stripped:
        return None
    if not stripped.isascii() or not stripped.isprintable() or " " in stripped:
        raise LocalProblem(
            "The token holds characters that no token has. Copy it again into SLUICE_TOKEN, whole and alone.",
            "token_malformed",
        )
    return stripped


def is_loopback(url: str) -> bool:
    """Whether the address is this machine, which no proxy should stand before."""
    host = urlsplit(url).hostname or ""
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def headers(token: str | None) -> dict[str, str]:
    """Return the headers of every request."""
    own = {"User-Agent": USER_AGENT, "Accept": "application/json"}
    return {**own, "Authorization": f"Bearer {token}"} if token else own


def request_arguments(call: Call[Any]) -> dict[str, Any]:
    """Return httpx's arguments for a call."""
    arguments: dict[str, Any] = {
        "method": call.method,
        "url": call.path,
        "timeout": httpx.Timeout(call.timeout_seconds, connect=10.0),
    }
    own: dict[str, str] = {}
    if call.idempotency_key is not None:
        own["Idempotency-Key"] = call.idempotency_key
    if call.content is not None:
        arguments["content"] = call.content
        own["Content-Type"] = call.content_type or "application/octet-stream"
    elif call.json is not None:
        arguments["json"] = call.json
    if call.params:
        arguments["params"] = call.params
    return {**arguments, "headers": own}


def socket_url(url: str, run_id: str, cursor: int) -> str:
    """Return the address of a run's WebSocket."""
    return f"{url.replace('http', 'ws', 1)}/terraform/ws/runs/{run_id}?after={cursor}"


def socket_arguments(url: str, token: str | None) -> dict[str, Any]:
    """Return the WebSocket library's arguments."""
    arguments: dict[str, Any] = {
        "additional_headers": {"Authorization": f"Bearer {token}"} if token else {},
        "user_agent_header": USER_AGENT,
        "open_timeout": 10,
        "close_timeout": 2,
        "ping_interval": 20,
        "ping_timeout": 20,
        "max_size": MAX_FRAME_BYTES,
        "logger": QUIET_LOG,
    }
    return {**arguments, "proxy": None} if is_loopback(url) else arguments


def event_arguments(run_id: str, cursor: int) -> dict[str, Any]:
    """Return httpx's arguments for a run's server-sent events."""
    return {
        "url": f"/terraform/runs/{run_id}/progress/events",
        "params": {"after": cursor, "heartbeat": HEARTBEAT_SECONDS},
        "headers": {"Accept": "text/event-stream", "Accept-Encoding": "identity"},
        "timeout": httpx.Timeout(SILENCE_SECONDS, connect=10.0),
    }


def check_events(response: httpx.Response) -> None:
    """Raise ``EventsLost`` unless an answer is server-sent events; polling says why, if there is a reason."""
    if response.status_code != 200 or not response.headers.get("content-type", "").startswith("text/event-stream"):
        raise EventsLost


def read_frame(text: str | bytes, cursor: int) -> ProgressPage | None:
    """Return what a WebSocket frame adds from ``cursor`` on; None for a frame that adds nothing."""
    frame = json.loads(text)
    if not isinstance(frame, dict) or frame.get("type") != "records":
        return None
    return ProgressPage.model_validate(frame).since(cursor)


def failure(error: Exception, url: str) -> tuple[ClientError, bool]:
    """Return a failure to get an answer as an error of ours, and whether the request may have arrived."""
    if isinstance(error, httpx.ConnectError | httpx.ConnectTimeout | httpx.PoolTimeout | httpx.ProxyError):
        return Unreachable(
            f"Sluice at {url} can't be reached ({reason(error)}). Is it running, and is SLUICE_URL right?"
        ), False
    if isinstance(error, httpx.TimeoutException):
        return Unreachable(f"Sluice at {url} did not answer in time."), True
    return Unreachable(f"The connection to Sluice at {url} broke off ({reason(error)})."), True


def reason(error: BaseException) -> str:
    """Return why a connection failed, in a few words."""
    inner: BaseException | None = error
    while inner is not None:
        if isinstance(inner, OSError) and inner.strerror:
            return inner.strerror
        inner = inner.__cause__ or inner.__context__
    return str(error) or type(error).__name__


def api_error(response: httpx.Response, url: str) -> ClientError:
    """Return what an answer that is no success says."""
    if response.is_redirect:
        target = response.headers.get("location", "elsewhere")
        return UnexpectedAnswer(f"{url} redirects to {target}. Set SLUICE_URL to the address that it leads to.")
    try:
        document = response.json()
    except ValueError:
        document = None
    if not isinstance(document, dict):
        if response.status_code >= 429:
            return ApiError(response.status_code, {"detail": f"{url} answered {response.status_code}."})
        return UnexpectedAnswer(
            f"{url} answered {response.status_code}, and not as Sluice does. Is SLUICE_URL the address of Sluice?"
        )
    return ApiError(response.status_code, document)


def read_answer(call: Call[T], response: httpx.Response, url: str) -> T:
    """Return a success as what the call reads. Raises ``UnexpectedAnswer`` when it is something else."""
    if call.is_raw:
        return call.read(response.content)
    try:
        return call.read(response.json() if response.content else None)
    except (ValueError, KeyError, TypeError, ValidationError):
        raise UnexpectedAnswer(
            f"{url} answered {call.path} with something else than Sluice does. Is SLUICE_URL the address of Sluice, "
            "and is the client not newer than the server?"
        ) from None
