"""What a person can do about an item of a recovery list: import blocks, and words. Pure."""

from pydantic import BaseModel, ConfigDict

from app.codegen.errors import NotRenderable
from app.codegen.service import import_block as block_of
from app.codegen.service import removed_block
from app.core.errors import Invalid
from app.recovery.reconciling import Lost
from app.state.service import address_steps

BUILT_IN = "terraform.io/builtin/terraform"
_STATE_ONLY = frozenset({BUILT_IN, "random", "null", "tls", "time", "cloudinit", "local", "template"})
_IMPORT_KEYS = frozenset({"id", "name"})


class Advice(BaseModel):
    """``import_block`` can be pasted as it is; ``import_template`` lacks the id."""

    model_config = ConfigDict(frozen=True)

    import_block: str | None = None
    import_template: str | None = None
    check: str | None = None


def exists_in_states_only(provider: str) -> bool:
    """Return whether a provider's resources are nothing but entries of a state (`terraform_data`, `random_id`, …)."""
    name = provider.rsplit("/", 1)[-1]
    return provider == BUILT_IN or (name in _STATE_ONLY and provider.split("/")[-2:-1] == ["hashicorp"])


def advise(found: Lost, *, is_address_taken: bool) -> Advice:
    """Return what to do about an item. ``is_address_taken``: the state holds another resource at its address."""
    if found.change == "update":
        return Advice(check="Plan again: the plan compares the state with what is there, and changes what is left.")
    if found.change == "delete":
        return Advice(check=_on_deletion(found))
    if exists_in_states_only(found.provider):
        return _state_only(found)
    if found.outcome == "created":
        return _created(found, is_address_taken=is_address_taken)
    return _unknown(found)


def import_block(address: str, resource_id: str, *, comment: str = "") -> str | None:
    """Return an import block; None for an address or an id that HCL can't say."""
    try:
        text = block_of(address_steps(address), resource_id)
    except (NotRenderable, Invalid):
        return None
    return f"# {comment}\n{text}" if comment else text


def _created(found: Lost, *, is_address_taken: bool) -> Advice:
    if found.is_id_hidden:
        return Advice(
            import_template=import_block(found.address, ""),
            check=f"Its id holds a sensitive value and is not shown. Look it up{_where(found)}, then import it.",
        )
    if found.id_key not in _IMPORT_KEYS or not found.resource_id:
        called = f" The engine called it {found.id_key} = {found.resource_id!r}." if found.resource_id else ""
        return Advice(
            import_template=import_block(found.address, ""),
            check=f"The engine did not say its id.{called} Look it up{_where(found)}, then import it.",
        )
    comment = "this is its name; the provider's page on the type says what it is imported by"
    block = import_block(found.address, found.resource_id, comment=comment if found.id_key == "name" else "")
    if is_address_taken:
        return Advice(
            import_block=block,
            check="The state holds another resource at this address by now. If that one took its place, delete this "
            f"one ({found.resource_id}) at the provider and dismiss it here; if not, take the other out of the state "
            f"with `state rm {_shell(found.address)}` before you import this one.",
        )
    if block is None:
        return Advice(check=f"Its id can't be written as HCL. Import it by hand: `import {_shell(found.address)} ID`.")
    return Advice(import_block=block)


def _unknown(found: Lost) -> Advice:
    since = f", made after {found.started_at:%Y-%m-%d %H:%M:%S} UTC" if found.started_at is not None else ""
    hints = ", ".join(f"{path} = {value!r}" for path, value in found.hints.items())
    named = f" with {hints}" if hints else ""
    return Advice(
        import_template=import_block(found.address, ""),
        check=f"Look{_where(found)} for a resource of the type {found.type}{named}{since}. If it is there, import it "
        "with its id, or delete it; if it is not, dismiss this item and plan again.",
    )


def _state_only(found: Lost) -> Advice:
    made = "It is nothing but an entry of a state, so nothing is left behind but what its provisioners did."
    if found.provider == BUILT_IN and found.outcome == "created" and found.id_key == "id" and found.resource_id:
        return Advice(
            import_block=import_block(found.address, found.resource_id),
            check=f"{made} Import it to keep its id, and so that its provisioners don't run again; or plan again, and "
            "the engine makes a new one.",
        )
    return Advice(check=f"{made} Nothing is to be imported: plan again, and the engine makes a new one.")


def _on_deletion(found: Lost) -> str:
    what = f"{found.type} {found.resource_id}".strip() if found.resource_id else found.address
    remove = f"`state rm {_shell(found.address)}`"
    if found.outcome == "unknown":
        return (
            f"Look{_where(found)} whether {what} is still there. If it is gone, the next plan's refresh takes it out "
            "of the state; if it is there, plan again, and it is destroyed then."
        )
    if found.action == "replace":
        return (
            f"{what} was destroyed to be replaced, and the state still lists it. Plan again: the refresh notices that "
            f"it is gone, and the plan makes the new one. If the refresh fails over it, take it out with {remove}."
        )
    return (
        f"{what} was destroyed, and the state still lists it. Plan again: the refresh notices that it is gone. If the "
        f"refresh fails over it, take it out of the state with {remove}{_removed(found.address)}."
    )


def _removed(address: str) -> str:
    try:
        steps = address_steps(address)
        if any(key is not None for _, key in steps):
            return ""
        return f", or with a `removed` block: `{removed_block(steps)}`"
    except Invalid:
        return ""


def _where(found: Lost) -> str:
    return f" at the provider ({found.provider})" if found.provider else " at the provider"


def _shell(text: str) -> str:
    """Return ``text`` as one word of a shell."""
    return "'" + text.replace("'", "'\\''") + "'"
