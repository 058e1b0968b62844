"""Recovery lists without a dead apply behind them."""

from typing import Any

from sqlalchemy.orm import Session

from app.core.ids import new_id
from app.recovery.models import RecoveryItem, RecoveryList
from app.recovery.reconciling import Lost
from app.recovery.sealed import item_binding, seal


def item(session: Session, organization_id: str, workspace_id: str, run_id: str, **facts: Any) -> str:
    """Put one open item on the run's recovery list, which is made if need be; return its id."""
    listed = session.get(RecoveryList, run_id)
    if listed is None:
        listed = RecoveryList(
            run_id=run_id, organization_id=organization_id, workspace_id=workspace_id, evidence="whole", open_items=0
        )
        session.add(listed)
        session.flush()
    said = {
        "address": "aws_sqs_queue.orders",
        "action": "create",
        "change": "create",
        "outcome": "created",
        "reason": "The engine created it, and no state that the run left holds it.",
        "provider": "registry.opentofu.org/hashicorp/aws",
        "type": "aws_sqs_queue",
        "id_key": "id",
        "resource_id": "https://queue.example.org/orders",
    }
    lost = Lost.model_validate(said | facts)
    made = RecoveryItem(
        id=new_id("rec"),
        organization_id=organization_id,
        run_id=run_id,
        workspace_id=workspace_id,
        outcome=lost.outcome,
        status="open",
    )
    made.sealed = seal(lost.model_dump(mode="json"), item_binding(made))
    session.add(made)
    listed.open_items += 1
    session.flush()
    return made.id
