"""An organization and who acts in it, for tests of slices above identity."""

from sqlalchemy.orm import Session

from app.core.ids import new_id
from app.core.permissions import Actor, Permission
from app.fence import service as fence
from app.identity.models import Organization


def new_tenant(session: Session, *, is_operator: bool = False) -> Actor:
    """Create an organization with its fences; return a person of it who may do everything."""
    organization_id = new_id("org")
    session.add(Organization(id=organization_id, name=organization_id, is_operator=is_operator))
    session.flush()
    fence.create_everything(session)
    fence.create_fence(session, "organization", organization_id, organization_id)
    return Actor(
        id=new_id("user"),
        kind="person",
        name="Ada",
        organization_id=organization_id,
        permissions=frozenset(Permission),
    )
