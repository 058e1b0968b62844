"""Policy sets that tests evaluate."""

from app.policy.schemas import EnforcementLevel, PinnedAttachment, PolicyBundle


def bundle(*texts: str, data: str | None = None, rego_version: int | None = None) -> PolicyBundle:
    files = {f"policy{index}.rego": text for index, text in enumerate(texts)}
    return PolicyBundle.model_validate({"files": files, "data": data, "rego_version": rego_version})


def pinned(
    content: PolicyBundle | str,
    level: EnforcementLevel = "hard-mandatory",
    *,
    waives: bool = False,
    attachment_id: str = "polatt-1",
    uri: str = "policies/example",
) -> PinnedAttachment:
    made = bundle(content) if isinstance(content, str) else content
    return PinnedAttachment(
        id=attachment_id,
        policy_set_uri=uri,
        enforcement_level=level,
        waives_unevaluable=waives,
        bundle=made,
        bundle_digest=made.digest,
    )
