import base64
import hashlib
import hmac
import json
from typing import Any

import pytest

from app.notifications import messages
from app.notifications.schemas import HaltNews, RunNews

NEWS = RunNews(
    organization_id="org-1",
    workspace_id="ws-1",
    run_id="run-1",
    kind="plan",
    status="awaiting_approval",
    reason=None,
    message="Bigger <!channel> & *bold*",
    requested_by="Eve <https://evil.example|Alice>",
    has_changes=True,
    counts={"add": 2, "destroy": 1, "change": 0},
    url="http://127.0.0.1:8080/infra/terraform/runs/run-1",
)


def payload(**given: Any) -> dict[str, Any]:
    news = NEWS.model_copy(update=given)
    return messages.run_payload("waiting", news, "prod <@U1>", "2026-11-21T10:00:00+00:00")


def test_signature_is_what_standard_webhooks_says() -> None:
    # The example of the specification.
    secret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
    body = b'{"test": 2432232314}'
    headers = messages.signed_headers(secret, "msg_p5jXN8AQM9LWM0D4loKWxJek", 1614265330, body)
    assert headers == {
        "webhook-id": "msg_p5jXN8AQM9LWM0D4loKWxJek",
        "webhook-timestamp": "1614265330",
        "webhook-signature": "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=",
    }


def test_secret_is_fresh_and_signs() -> None:
    one, other = messages.new_secret(), messages.new_secret()
    assert one != other
    key = base64.b64decode(one.removeprefix("whsec_"))
    assert len(key) == 32
    expected = base64.b64encode(hmac.new(key, b"a.1.{}", hashlib.sha256).digest()).decode()
    assert messages.signed_headers(one, "a", 1, b"{}")["webhook-signature"] == f"v1,{expected}"


def test_body_of_sluice_is_the_payload_the_same_each_time() -> None:
    body = messages.body_of("sluice", payload())
    assert body == messages.body_of("sluice", json.loads(json.dumps(payload())))
    found = json.loads(body)
    assert (found["type"], found["run"]["status"], found["workspace"]["name"]) == (
        "run.waiting",
        "awaiting_approval",
        "prod <@U1>",
    )


def test_body_of_slack_escapes_what_people_wrote() -> None:
    found = json.loads(messages.body_of("slack", payload()))
    text = found["blocks"][0]["text"]["text"]
    assert text.splitlines() == [
        (
            "Sluice: a plan of prod &lt;@U1&gt; waits for approval: "
            "<http://127.0.0.1:8080/infra/terraform/runs/run-1|run-1>"
        ),
        "2 to add, 1 to destroy",
        "Requested by Eve &lt;https://evil.example|Alice&gt;: Bigger &lt;!channel&gt; &amp; *bold*",
    ]
    assert found["text"] == text.splitlines()[0]


def test_escaped_is_one_short_line() -> None:
    assert messages.escaped("a\nb\r\n  c") == "a b c"
    assert len(messages.escaped("x" * 2000)) == 500


@pytest.mark.parametrize("style", ["sluice", "slack"])
def test_body_of_a_halt_tells_how_many_runs_it_stopped(style: Any) -> None:
    news = HaltNews(
        halt_id="halt-1",
        scope="organization",
        organization_id="org-1",
        workspace_id=None,
        reason="<fire>",
        actor="Alice",
        runs={"org-1": 300, "org-2": 7},
        url="http://127.0.0.1:8080/infra",
    )
    found = messages.body_of(style, messages.halt_payload(news, "org-1", None, "2026-11-21T10:00:00+00:00")).decode()
    assert "300" in found
    assert ("&lt;fire&gt;" in found) is (style == "slack")
