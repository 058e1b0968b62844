import http.server
import json
import threading
from collections.abc import Callable, Iterator

import pytest

from app.core.settings import Settings
from app.policy import rego
from app.policy.checker import PolicyChecker
from app.policy.errors import PolicySetInvalid
from tests.policy.bundles import bundle, pinned
from tests.policy.conftest import ENGINES

CLOCK = 'package p\ndeny contains "late" if time.now_ns() > 0\n'
TEMPLATES = """package p
deny contains "m" if json.match_schema({}, {"type": "object"})[0]
deny contains "v" if json.verify_schema({"type": "object"})[0]
deny contains "r" if rand.intn("a", 5) >= 0
deny contains "u" if uuid.rfc4122("a")
deny contains "t" if trace("x")
deny contains "o" if is_object(opa.runtime())
"""
QUIET = ["rand.intn"]


class _Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.send_response(200)
        self.end_headers()
        self.wfile.write(b'{"is_bad": true}')

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def url() -> Iterator[str]:
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), _Handler) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.05,))
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}/"
        server.shutdown()
        thread.join()


def test_builtin_that_reaches_out_is_off_and_the_setting_is_named(checker: PolicyChecker) -> None:
    with pytest.raises(PolicySetInvalid, match="SLUICE_POLICY_ALLOWED_BUILTINS"):
        checker.compile(bundle(CLOCK))


def test_builtin_that_is_allowed_is_called_by_every_engine(checker_with: Callable[..., PolicyChecker]) -> None:
    checker = checker_with(policy_allowed_builtins=["time.now_ns"])
    (result,) = checker.check([pinned(checker.compile(bundle(CLOCK)))], {}).results
    assert [item.message for item in result.findings] == ["late"]
    with pytest.raises(PolicySetInvalid, match="rand.intn is not allowed"):
        checker.compile(bundle('package p\ndeny contains "x" if rand.intn("a", 5) > 9\n'))


def test_builtins_that_both_engines_have_agree(checker_with: Callable[..., PolicyChecker]) -> None:
    names = ["json.match_schema", "json.verify_schema", "rand.intn", "uuid.rfc4122", "trace", "opa.runtime"]
    (result,) = checker_with(policy_allowed_builtins=names).check([pinned(TEMPLATES)], {}).results
    assert (result.error, [item.message for item in result.findings]) == (None, ["m", "o", "r", "t", "u", "v"])


def test_http_send_reaches_out_with_opa_and_is_an_error_with_regorus(url: str) -> None:
    text = f"""package p
deny contains "bad" if http.send({{"method": "get", "url": {json.dumps(url)}, "force_json_decode": true}}).body.is_bad
"""
    for engine in ENGINES:
        checker = PolicyChecker(Settings(policy_engine=engine, policy_allowed_builtins=["http.send"]))
        (result,) = checker.check([pinned(text)], {}).results
        if engine == "opa":
            assert [item.message for item in result.findings] == ["bad"]
        else:
            assert "regorus has no such builtin" in str(result.error)
            with pytest.raises(PolicySetInvalid, match="regorus has no such builtin"):
                checker.compile(bundle(text))
            (alone,) = checker.evaluate_many(bundle(text), [{}])
            assert alone.error == result.error


def test_set_that_regorus_can_not_evaluate_blames_only_itself() -> None:
    checker = PolicyChecker(Settings(policy_engine="regorus", policy_allowed_builtins=["net.lookup_ip_addr"]))
    reaching = 'package q\ndeny contains "x" if net.lookup_ip_addr("localhost")\n'
    report = checker.check([pinned(reaching), pinned('package p\ndeny contains "no"\n')], {})
    assert [result.outcome for result in report.results] == ["error", "failed"]


def test_setting_that_names_no_such_builtin_blocks_and_says_so(checker_with: Callable[..., PolicyChecker]) -> None:
    checker = checker_with(policy_allowed_builtins=["http.sent"])
    (result,) = checker.check([pinned('package p\ndeny contains "no"\n')], {}).results
    assert "SLUICE_POLICY_ALLOWED_BUILTINS names http.sent" in str(result.error)


def test_every_builtin_that_may_be_allowed_is_declared_for_opa() -> None:
    plain = {item["name"] for item in json.loads(rego.CAPABILITIES.read_text())["builtins"]}
    document = json.loads(rego.capabilities(sorted(rego.FORBIDDEN_BUILTINS)))
    assert {item["name"] for item in document["builtins"]} - plain == rego.FORBIDDEN_BUILTINS
    assert "allow_net" not in document
    assert json.loads(rego.capabilities(QUIET))["allow_net"] == []
