"""Jobs of policy sets."""

from celery import Celery

from app.policy import looking

LOOK = "policy.look"


def register(application: Celery) -> None:
    """Register the jobs of policy sets with a worker's Celery application."""

    @application.task(name=LOOK, shared=False)  # type: ignore[untyped-decorator]  # Celery is untyped
    def _look() -> None:
        looking.look_at_sources()
