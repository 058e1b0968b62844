"""What is killed: the plan of all kills from one seed, and how each victim is found, hit and started again."""

import random
import signal
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import psutil

from tests.chaos.storm.parts import NURSERY, Installation, Part

Kind = Literal[
    "engine", "worker", "api", "redis", "postgres", "supervisor", "worker-term", "nursery", "beat", "postgres-crash"
]
WEIGHTS: dict[Kind, int] = {
    "engine": 26,
    "worker": 18,
    "api": 16,
    "redis": 10,
    "postgres": 9,
    "supervisor": 8,
    "worker-term": 4,
    "nursery": 4,
    "postgres-crash": 3,
    "beat": 2,
}
"""Of a hundred kills. A restart of PostgreSQL closes its sessions; a crash (SIGQUIT) has it recover from its log."""
PATIENCE_SECONDS = 20.0
LONGEST_PAUSE_SECONDS = 2.0
_POLL_SECONDS = 0.02
_SIGNALS: dict[Kind, signal.Signals] = {
    "worker-term": signal.SIGTERM,
    "postgres": signal.SIGINT,
    "postgres-crash": signal.SIGQUIT,
}


@dataclass(frozen=True)
class Kill:
    """One kill of the plan: how long to wait before it, what it hits, how long until what was hit starts again."""

    kind: Kind
    after_seconds: float
    pause_seconds: float
    choice: float


def plan(seed: int, count: int, seconds: float, weights: dict[Kind, int] | None = None) -> list[Kill]:
    """Return ``count`` kills over about ``seconds``: as many of each kind as its weight says, in random order."""
    rng = random.Random(seed)
    weights = weights or WEIGHTS
    total = sum(weights.values())
    kinds: list[Kind] = [kind for kind, weight in weights.items() for _ in range(count * weight // total)]
    kinds += rng.choices(list(weights), list(weights.values()), k=count - len(kinds))
    rng.shuffle(kinds)
    mean = seconds / count
    return [Kill(kind, rng.uniform(0, 2 * mean), rng.uniform(0, LONGEST_PAUSE_SECONDS), rng.random()) for kind in kinds]


class Killer:
    """Carries the plan out. Parts are started again from the thread that calls it, since they end with theirs."""

    def __init__(self, installation: Installation, say: Callable[[str], None]) -> None:
        self._installation = installation
        self._say = say
        self._due: list[tuple[float, Part]] = []
        self._draining: dict[str, float] = {}
        self.done: dict[str, int] = {}
        self.missed: list[Kind] = []
        self.ended_alone: list[str] = []

    def carry_out(self, kills: list[Kill], is_over: Callable[[], bool]) -> None:
        """Kill by the plan until its end, or until ``is_over``; then start again whatever is down."""
        for kill in kills:
            self._pass(kill.after_seconds)
            if is_over():
                break
            self._hit(kill)
        self._pass(LONGEST_PAUSE_SECONDS)
        while self._due:
            self._pass(_POLL_SECONDS)

    def _pass(self, seconds: float) -> None:
        """Let time pass, and start again what is due meanwhile."""
        until = time.monotonic() + seconds
        while True:
            now = time.monotonic()
            self._notice_ends()
            for item in [item for item in self._due if item[0] <= now]:
                self._due.remove(item)
                item[1].run()
            if now >= until:
                return
            time.sleep(min(_POLL_SECONDS, max(0.0, until - now)))

    def _notice_ends(self) -> None:
        """Start a part again that ended by itself, as whoever keeps services running does."""
        down = [part for _, part in self._due]
        for part in self._installation.parts.values():
            if part in down or part.server is None or (code := part.server.poll()) is None:
                continue
            if part.name in self._draining:
                self._due.append((time.monotonic() + self._draining.pop(part.name), part))
            else:
                self.ended_alone.append(f"{part.name} ended by itself ({code})")
                self._say(self.ended_alone[-1])
                self._due.append((time.monotonic() + 0.5, part))

    def _hit(self, kill: Kill) -> None:
        until = time.monotonic() + PATIENCE_SECONDS
        while not self._try(kill):
            if time.monotonic() > until:
                self.missed.append(kill.kind)
                self._say(f"no {kill.kind} was there to be killed for {PATIENCE_SECONDS:.0f} s")
                return
            self._pass(_POLL_SECONDS)
        self.done[kill.kind] = self.done.get(kill.kind, 0) + 1

    def _try(self, kill: Kill) -> bool:
        """Kill; False when there is no such process just now."""
        kind = kill.kind
        if kind in {"engine", "supervisor", "nursery"}:
            return self._kill_process(kill)
        name, number = kind.partition("-")[0], _SIGNALS.get(kind, signal.SIGKILL)
        down = [part for _, part in self._due]
        parts = self._installation.parts.values()
        alive = [
            part
            for part in parts
            if part.name.startswith(name)
            and part not in down
            and not (number is signal.SIGTERM and part.name in self._draining)
        ]
        if not alive:
            return False
        part = alive[int(kill.choice * len(alive))]
        if number is signal.SIGTERM:
            # It drains, which may take as long as its runs do; other kills go on meanwhile.
            part.ask(number)
            self._draining[part.name] = kill.pause_seconds
        else:
            part.kill(number)
            self._draining.pop(part.name, None)
            self._due.append((time.monotonic() + kill.pause_seconds, part))
        self._say(f"{part.name} by {number.name}")
        return True

    def _kill_process(self, kill: Kill) -> bool:
        found = {
            "engine": self._installation.engines,
            "supervisor": self._installation.supervisors,
            "nursery": lambda: self._installation.named(NURSERY),
        }[kill.kind]()
        if not found:
            return False
        victim = sorted(found, key=lambda process: process.pid)[int(kill.choice * len(found))]
        try:
            victim.kill()
        except psutil.NoSuchProcess:
            return False
        self._say(f"{kill.kind} (process {victim.pid}) by SIGKILL")
        return True
