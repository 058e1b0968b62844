"""The two engines that evaluate Rego, each in a child with limits of time and memory, started by the gateway.

Neither is trusted to end, to stay small, or to say when something is missing: every way in which a child may fail
becomes an `Evaluation` with an error, which blocks.
"""

from app.core.settings import Settings
from app.executor import discovery
from app.executor.errors import ToolMissing
from app.policy.evaluation import Evaluation, PolicyEngine, PolicySet
from app.policy.opa_engine import OpaEngine
from app.policy.regorus_engine import RegorusEngine

__all__ = ["Evaluation", "OpaEngine", "PolicyEngine", "PolicySet", "RegorusEngine", "select_engine"]


def select_engine(settings: Settings) -> PolicyEngine:
    """Return the engine by ``SLUICE_POLICY_ENGINE``: ``auto`` takes opa where it is found, else regorus.

    Raises ``ToolMissing`` when opa is asked for, or named by ``SLUICE_OPA``, and can't be used.
    """
    if settings.policy_engine == "regorus":
        return RegorusEngine(settings)
    try:
        return OpaEngine(settings, discovery.find_opa(settings))
    except ToolMissing:
        if settings.policy_engine == "opa" or settings.opa is not None:
            raise
        return RegorusEngine(settings)
