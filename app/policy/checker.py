"""``PolicyChecker``: pinned policy sets over one input document. Knows no database; fails closed."""

import json
import os
from collections import OrderedDict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import islice
from threading import Lock
from typing import Any

from app.core.errors import AppError
from app.core.settings import Settings, get_settings
from app.policy import findings, rego
from app.policy.engines import Evaluation, PolicyEngine, PolicySet, select_engine
from app.policy.errors import PolicySetInvalid
from app.policy.schemas import (
    CheckReport,
    CheckResult,
    Evaluated,
    Finding,
    PinnedAttachment,
    PolicyBundle,
    PolicyDocument,
)

NO_ENGINE = "none"
_BATCH_DOCUMENTS = 32
_BATCH_BYTES = 8 * 1024 * 1024
_REVIEWS: OrderedDict[tuple[str, tuple[str, ...]], rego.Review] = OrderedDict()
_REVIEWS_LOCK = Lock()
_REVIEWS_KEPT = 256
Document = PolicyDocument | Mapping[str, Any]


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

    def check(self, pinned: Sequence[PinnedAttachment], document: Document) -> CheckReport:
        """Evaluate each attachment over ``document``.

        Equal bundles are evaluated once; with no attachment nothing is started. Never raises for what a policy, the
        engine or the document does: whatever can't be evaluated has the outcome ``error``, with the reason.
        """
        if not pinned:
            return findings.report([])
        bundles = {item.bundle_digest: item.bundle for item in pinned}
        engine_name, answers = self._evaluate(bundles, document)
        return findings.report([_result(item, engine_name, *answers[item.bundle_digest]) for item in pinned])

    def evaluate_many(self, bundle: PolicyBundle, documents: Iterable[Document | bytes]) -> Iterator[Evaluated]:
        """Evaluate one bundle over many documents, several in one child; yield what it said of each, in their order.

        Documents are taken from ``documents`` a few at a time, as bytes when they are JSON already. Whoever stops
        taking answers stops the evaluation with those that are under way. Each document has the limits of a check of
        its own, and what one does to an engine is told of that one only. Raises ``ToolMissing`` when the engine that
        is asked for is missing, ``PolicySetInvalid`` for a bundle that can't be evaluated over any document.
        """
        review = self._review(bundle)
        if review.errors:
            raise _invalid("; ".join(review.errors))
        engine = self._select()
        policy_set = _policy_set(bundle, review)
        width = max(1, os.cpu_count() or 1)
        with ThreadPoolExecutor(max_workers=width) as pool:
            batches = _batches(documents)
            while batch := list(islice(batches, width)):
                for answers in pool.map(lambda part: engine.evaluate_documents(policy_set, part), batch):
                    yield from (_evaluated(engine.name, review, answer) for answer in answers)

    def compile(self, bundle: PolicyBundle) -> PolicyBundle:
        """Check that a bundle can be evaluated, and return it with the Rego version that it is written in.

        Raises ``PolicySetInvalid`` with the reason, and ``ToolMissing`` when the engine that is asked for is missing.
        """
        review = self._review(bundle)
        if review.errors:
            raise _invalid("; ".join(review.errors))
        [answer] = self._select().evaluate([PolicySet(bundle, {}, reaching=review.reaching)], b"{}")
        if answer.error is not None or answer.rego_version is None:
            raise _invalid(answer.error or "the engine gave no answer")
        return bundle.model_copy(update={"rego_version": answer.rego_version})

    def _review(self, bundle: PolicyBundle) -> rego.Review:
        return review_of(bundle, (self._settings or get_settings()).policy_allowed_builtins)

    def _select(self) -> PolicyEngine:
        return self._engine or select_engine(self._settings or get_settings())

    def _evaluate(
        self, bundles: Mapping[str, PolicyBundle], document: Document
    ) -> tuple[str, dict[str, tuple[Evaluation, rego.Review | None]]]:
        """Return the engine's name and, by bundle digest, what came of each bundle."""
        answers: dict[str, tuple[Evaluation, rego.Review | None]] = {}
        reviews: dict[str, rego.Review] = {}
        for digest, bundle in bundles.items():
            review = self._review(bundle)
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
            sets = [_policy_set(bundles[digest], review) for digest, review in reviews.items()]
            if sets:
                found = engine.evaluate(sets, _serialize(document))
                answers |= {d: (answer, reviews[d]) for d, answer in zip(reviews, found, strict=True)}
        except Exception as error:  # whatever fails here must block, not pass
            reason = error.detail if isinstance(error, AppError) else f"{type(error).__name__}: {error}"
            answers |= {d: (Evaluation(error=reason), None) for d in reviews if d not in answers}
        return engine_name, answers


def review_of(bundle: PolicyBundle, allowed: Sequence[str]) -> rego.Review:
    """Return what reading a bundle's text tells; remembered, since content never changes."""
    key = (bundle.digest, tuple(allowed))
    with _REVIEWS_LOCK:
        known = _REVIEWS.get(key)
        if known is not None:
            _REVIEWS.move_to_end(key)
            return known
    found = rego.review(bundle.files, bundle.data, allowed)
    with _REVIEWS_LOCK:
        _REVIEWS[key] = found
        while len(_REVIEWS) > _REVIEWS_KEPT:
            _REVIEWS.popitem(last=False)
    return found


def _policy_set(bundle: PolicyBundle, review: rego.Review) -> PolicySet:
    return PolicySet(bundle, review.packages, review.is_self_contained, review.reaching)


def _serialize(document: Document) -> bytes:
    # Its members as they are: a dump would walk, and copy, the whole plan.
    values = dict(document) if isinstance(document, PolicyDocument) else document
    return json.dumps(values, allow_nan=False, separators=(",", ":")).encode()


def _batches(documents: Iterable[Document | bytes]) -> Iterator[list[bytes]]:
    """Yield documents as JSON, as many together as one child is given."""
    batch: list[bytes] = []
    size = 0
    for document in documents:
        content = document if isinstance(document, bytes) else _serialize(document)
        if batch and (len(batch) == _BATCH_DOCUMENTS or size + len(content) > _BATCH_BYTES):
            yield batch
            batch, size = [], 0
        batch.append(content)
        size += len(content)
    if batch:
        yield batch


def _evaluated(engine_name: str, review: rego.Review, answer: Evaluation) -> Evaluated:
    found, error = _findings(answer, review)
    values = {name: value[0] for name, value in (answer.values or {}).items() if value}
    return Evaluated(
        outcome="error" if error is not None else findings.outcome_of(found),
        findings=found,
        error=error,
        is_late=answer.is_late,
        values=values,
        policy_engine=engine_name,
        duration_ms=round(answer.seconds * 1000, 1),
    )


def _findings(answer: Evaluation, review: rego.Review | None) -> tuple[tuple[Finding, ...], str | None]:
    """Return the findings in an answer, or why there are none to be had."""
    if answer.error is not None:
        return (), answer.error
    if review is None or answer.values is None:
        return (), "the engine gave no answer"
    try:
        return findings.read_findings(review.packages, answer.values), None
    except findings.MalformedResult as malformed:
        return (), str(malformed)


def _result(item: PinnedAttachment, engine_name: str, answer: Evaluation, review: rego.Review | None) -> CheckResult:
    found, error = _findings(answer, review)
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
