"""``PolicyChecker``: pinned policy sets over one input document. Knows no database; fails closed."""

import json
from collections.abc import Mapping, Sequence
from typing import Any

from app.core.errors import AppError
from app.core.settings import Settings, get_settings
from app.policy import findings, rego
from app.policy.engines import Evaluation, PolicyEngine, PolicySet, select_engine
from app.policy.errors import PolicySetInvalid
from app.policy.schemas import CheckReport, CheckResult, Finding, PinnedAttachment, PolicyBundle, PolicyDocument

NO_ENGINE = "none"


class PolicyChecker:
    """Evaluates policy sets with the engine that the settings choose, found anew for each check.

    Holds no transaction and needs none: call it with values, store what it returns.
    """

    def __init__(self, settings: Settings | None = None, engine: PolicyEngine | None = None) -> None:
        self._settings = settings
        self._engine = engine

    def engine_name(self) -> str:
        """Return the engine and its version; ``none`` when the one that is asked for is missing."""
        try:
            return self._select().name
        except AppError:
            return NO_ENGINE

    def check(self, pinned: Sequence[PinnedAttachment], document: PolicyDocument | Mapping[str, Any]) -> CheckReport:
        """Evaluate each attachment over ``document``.

        Equal bundles are evaluated once; with no attachment nothing is started. Never raises for what a policy, the
        engine or the document does: whatever can't be evaluated has the outcome ``error``, with the reason.
        """
        if not pinned:
            return findings.report([])
        bundles = {item.bundle_digest: item.bundle for item in pinned}
        engine_name, answers = self._evaluate(bundles, document)
        return findings.report([_result(item, engine_name, *answers[item.bundle_digest]) for item in pinned])

    def compile(self, bundle: PolicyBundle) -> PolicyBundle:
        """Check that a bundle can be evaluated, and return it with the Rego version that it is written in.

        Raises ``PolicySetInvalid`` with the reason, and ``ToolMissing`` when the engine that is asked for is missing.
        """
        review = rego.review(bundle.files, bundle.data)
        if review.errors:
            raise _invalid("; ".join(review.errors))
        [answer] = self._select().evaluate([PolicySet(bundle, {})], b"{}")
        if answer.error is not None or answer.rego_version is None:
            raise _invalid(answer.error or "the engine gave no answer")
        return bundle.model_copy(update={"rego_version": answer.rego_version})

    def _select(self) -> PolicyEngine:
        return self._engine or select_engine(self._settings or get_settings())

    def _evaluate(
        self, bundles: Mapping[str, PolicyBundle], document: PolicyDocument | Mapping[str, Any]
    ) -> tuple[str, dict[str, tuple[Evaluation, rego.Review | None]]]:
        """Return the engine's name and, by bundle digest, what came of each bundle."""
        answers: dict[str, tuple[Evaluation, rego.Review | None]] = {}
        reviews: dict[str, rego.Review] = {}
        for digest, bundle in bundles.items():
            review = rego.review(bundle.files, bundle.data)
            if bundle.digest != digest:
                answers[digest] = (Evaluation(error="the stored policy set does not match its digest"), None)
            elif review.errors:
                answers[digest] = (Evaluation(error="; ".join(review.errors)), None)
            else:
                reviews[digest] = review
        engine_name = NO_ENGINE
        try:
            engine = self._select()
            engine_name = engine.name
            sets = [PolicySet(bundles[d], review.packages, review.is_self_contained) for d, review in reviews.items()]
            if sets:
                found = engine.evaluate(sets, _serialize(document))
                answers |= {d: (answer, reviews[d]) for d, answer in zip(reviews, found, strict=True)}
        except Exception as error:  # whatever fails here must block, not pass
            reason = error.detail if isinstance(error, AppError) else f"{type(error).__name__}: {error}"
            answers |= {d: (Evaluation(error=reason), None) for d in reviews if d not in answers}
        return engine_name, answers


def _serialize(document: PolicyDocument | Mapping[str, Any]) -> bytes:
    values = document.model_dump() if isinstance(document, PolicyDocument) else document
    return json.dumps(values, allow_nan=False, separators=(",", ":")).encode()


def _result(item: PinnedAttachment, engine_name: str, answer: Evaluation, review: rego.Review | None) -> CheckResult:
    error = answer.error
    found: tuple[Finding, ...] = ()
    if error is None and review is not None and answer.values is not None:
        try:
            found = findings.read_findings(review.packages, answer.values)
        except findings.MalformedResult as malformed:
            error = str(malformed)
    elif error is None:
        error = "the engine gave no answer"
    return CheckResult(
        attachment_id=item.id,
        policy_set_uri=item.policy_set_uri,
        bundle_digest=item.bundle_digest,
        enforcement_level=item.enforcement_level,
        waives_unevaluable=item.waives_unevaluable,
        outcome="error" if error is not None else findings.outcome_of(found),
        findings=found,
        error=error,
        policy_engine=engine_name,
        duration_ms=round(answer.seconds * 1000),
    )


def _invalid(reason: str) -> PolicySetInvalid:
    return PolicySetInvalid(
        f"The policy set can't be used: {reason}.",
        reason=reason,
        errors=[{"field": "policy_set_uri", "message": reason}],
    )
