"""How it is known that no process of a run lives."""

from collections.abc import Sequence

from app.core import clock
from app.executor.terraform import TerraformExecutor
from app.runner.port import ProofOfDeath


def of(engines: Sequence[TerraformExecutor]) -> ProofOfDeath | None:
    """Return the proof from the last process of all these; None while one is not known to have ended."""
    if not all(engine.is_proven_dead for engine in engines):
        return None
    ends = sorted((end for engine in engines for end in engine.ends), key=lambda end: end.ended_at)
    if not ends:
        return ProofOfDeath(kind="never_started", at=clock.now())
    last = ends[-1]
    assert last.proof is not None
    return ProofOfDeath(
        kind=last.proof,
        at=last.ended_at,
        pid=last.pid,
        exit_code=last.exit_code,
        signal=last.signal,
        signals_sent=last.signals_sent,
        detail=f"`{last.command}` was the last of {len(ends)} processes; each has been waited for.",
    )
