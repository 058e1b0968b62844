"""Watching runs: a thousand watchers of one run at 200 lines a second, and one at 20,000 lines a second.

Lines are written as a supervisor writes them, batched, committed, and read over the WebSocket of a real `sluice up` by
clients on the same machine, who check every offset; some of them drop and come back at random. Expected: nothing lost
or doubled for anybody; a line's way from the writer to the client takes at most 300 ms in 99 of 100 cases with a
thousand watchers, and 500 ms at 20,000 lines a second. Then more watchers and more lines, until one of these is missed.
"""

import argparse
import json
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import _harness as harness
import psutil

HERE = Path(__file__).resolve().parent
MOST_MS_OF_MANY = 300
MOST_MS_OF_FAST = 500
RESTLESS = 0.05
CLIENT_PROCESSES = 2
LIMIT_SECONDS = 8.0
REST_SECONDS = 1.0
MORE_WATCHERS = (1500, 2000, 3000)
MORE_LINES = (30_000, 40_000, 60_000)


class Talker:
    """A process that is told things line by line, and answers so."""

    def __init__(self, script: str, environment: dict[str, str]) -> None:
        self.process = subprocess.Popen(
            [sys.executable, HERE / script],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env=environment,
        )

    def tell(self, **order: Any) -> None:
        """Say something."""
        assert self.process.stdin is not None
        self.process.stdin.write(json.dumps(order) + "\n")
        self.process.stdin.flush()

    def hear(self) -> str:
        """Return the next line. Raises ``RuntimeError`` when the process has ended."""
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        if not line:
            raise RuntimeError(f"a process of the benchmark ended with {self.process.wait()}")
        return line.strip()

    def end(self) -> None:
        """Close its input, and wait."""
        assert self.process.stdin is not None
        self.process.stdin.close()
        self.process.wait(30)


class Parts:
    """The processes of one installation whose CPU is counted."""

    def __init__(self, server: harness.Server) -> None:
        self._top = psutil.Process(server.pid)
        self.api = next(found for name, found in self._named() if name == "api")

    def _named(self) -> Iterator[tuple[str, psutil.Process]]:
        for process in self._top.children(recursive=True):
            try:
                words = " ".join(process.cmdline())
            except psutil.Error:
                continue
            if "postgres" in words:
                yield "postgres", process
            elif "redis-server" in words:
                yield "redis", process
            elif "app.cli.serve api" in words or words.endswith(" api") or " api " in words:
                yield "api", process

    def cpu(self) -> dict[tuple[str, int], float]:
        """Return the CPU seconds so far, by part and process."""
        found = {}
        for name, process in self._named():
            try:
                times = process.cpu_times()
            except psutil.Error:
                continue
            found[name, process.pid] = float(times.user + times.system)
        return found


def spent(before: dict[tuple[str, int], float], after: dict[tuple[str, int], float]) -> dict[str, float]:
    """Return the CPU seconds between two looks, by part."""
    found: Counter[str] = Counter()
    for (name, pid), seconds in after.items():
        found[name] += seconds - before.get((name, pid), 0.0)
    return dict(found)


@contextmanager
def writer(parts: Parts) -> Iterator[Talker]:
    """Run the writer with the settings of the server's parts."""
    talker = Talker("_writer.py", parts.api.environ())
    try:
        yield talker
    finally:
        talker.end()


def measure(
    server: harness.Server,
    parts: Parts,
    talker: Talker,
    organization_id: str,
    *,
    watchers: int,
    lines_per_second: int,
    seconds: float,
) -> dict[str, Any]:
    """Let so many watch a run at this rate; return delays, faults and CPU."""
    talker.tell(do="open", organization_id=organization_id)
    run_id = json.loads(talker.hear())["run_id"]
    address = server.url.removeprefix("http://").split(":")
    processes = min(CLIENT_PROCESSES, watchers)
    clients = [Talker("_watchers.py", harness.clean_environment()) for _ in range(processes)]
    for number, client in enumerate(clients):
        count = watchers // processes + (number < watchers % processes)
        client.tell(
            host=address[0],
            port=int(address[1]),
            token=server.token,
            run_id=run_id,
            watchers=count,
            restless=int(count * RESTLESS),
            most_seconds=seconds * 2 + 30,
        )
    for client in clients:
        client.hear()
    time.sleep(REST_SECONDS)
    before, begun = parts.cpu(), time.monotonic()
    talker.tell(do="write", run_id=run_id, lines_per_second=lines_per_second, seconds=seconds)
    written = json.loads(talker.hear())
    seen = [json.loads(client.hear()) for client in clients]
    taken, after = time.monotonic() - begun, parts.cpu()
    for client in clients:
        client.end()
    return summarize(written, seen, taken, spent(before, after), watchers)


def summarize(
    written: dict[str, Any], seen: list[dict[str, Any]], taken: float, cpu: dict[str, float], watchers: int
) -> dict[str, Any]:
    """Return the figures of one measurement."""
    delays: Counter[int] = Counter()
    for one in seen:
        delays.update({int(key): count for key, count in one["delays_ms"].items()})
    wrong = [fault for one in seen for fault in one["wrong"]]
    short = sum(count for one in seen for cursor, count in one["cursors"] if cursor != written["lines"])
    if short:
        wrong.append(f"{short} watchers did not see {written['lines']} lines")
    if written["lost"]:
        wrong.append(f"the writer lost {written['lost']} lines")
    cores = {name: round(used / taken, 2) for name, used in cpu.items()}
    cores["writer"] = round(written["cpu_seconds"] / taken, 2)
    cores["clients"] = round(sum(one["cpu_seconds"] for one in seen) / taken, 2)
    return {
        "watchers": watchers,
        "lines": written["lines"],
        "lines_per_second": round(written["lines"] / written["seconds"]),
        "seconds": round(taken, 1),
        "drops": sum(one["drops"] for one in seen),
        "frames": max(one["frames"] for one in seen),
        "delay_ms": {name: percentile(delays, share) for name, share in (("p50", 0.5), ("p99", 0.99), ("max", 1.0))},
        "cpu_cores": cores,
        "wrong": wrong[:10],
    }


def percentile(delays: Counter[int], share: float) -> int:
    """Return how many milliseconds this share of all lines took at most."""
    left = share * sum(delays.values())
    for delay, count in sorted(delays.items()):
        left -= count
        if left <= 0:
            return delay
    return max(delays, default=0)


def tell(title: str, found: dict[str, Any]) -> None:
    """Say for people what was found."""
    delay, cores = found["delay_ms"], found["cpu_cores"]
    harness.say(f"{title}: p50 {delay['p50']} ms, p99 {delay['p99']} ms, longest {delay['max']} ms")
    harness.say(
        f"  {found['lines']} lines in {found['frames']} frames at {found['lines_per_second']} a second, "
        f"{found['drops']} drops, {'nothing lost or doubled' if not found['wrong'] else found['wrong']}"
    )
    harness.say(f"  processors used: {', '.join(f'{name} {used}' for name, used in cores.items())}")


def faults(title: str, found: dict[str, Any], most_ms: int) -> list[str]:
    """Return what of a measurement is not as expected."""
    missed = [f"{title}: {fault}" for fault in found["wrong"]]
    if found["delay_ms"]["p99"] > most_ms:
        missed.append(f"{title}: p99 {found['delay_ms']['p99']} ms, at most {most_ms} expected")
    return missed


def narrowest(found: dict[str, Any]) -> str:
    """Say what there was least left of."""
    cores = found["cpu_cores"]
    name, used = max(cores.items(), key=lambda item: item[1] / (CLIENT_PROCESSES if item[0] == "clients" else 1))
    total, there = sum(cores.values()), harness.machine()["processors"]
    if total > 0.85 * there:
        return f"the machine: {total:.1f} of {there} processors, the most of it by {name} ({used})"
    return f"{name}: {used} of one processor"


def main() -> int:
    """Measure both, then look for the limits, and report."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--watchers", type=int, default=1000)
    parser.add_argument("--lines", type=int, default=200, help="lines a second for many watchers")
    parser.add_argument("--seconds", type=float, default=30.0)
    parser.add_argument("--fast-lines", type=int, default=20_000, help="lines a second for one watcher")
    parser.add_argument("--fast-seconds", type=float, default=10.0)
    parser.add_argument("--no-limits", action="store_true", help="don't look for the limits")
    chosen = parser.parse_args()
    result: dict[str, Any] = {"benchmark": "progress", "machine": harness.machine()}
    misses: list[str] = []
    with harness.scratch() as directory, harness.sluice(directory / "home") as server:
        parts = Parts(server)
        organization_id = str(server.client().send(harness.calls.me())["organization"]["id"])
        with writer(parts) as talker:

            def run(**options: Any) -> dict[str, Any]:
                return measure(server, parts, talker, organization_id, **options)

            many = run(watchers=chosen.watchers, lines_per_second=chosen.lines, seconds=chosen.seconds)
            tell(f"{chosen.watchers} watchers", many)
            misses += faults("many watchers", many, MOST_MS_OF_MANY)
            fast = run(watchers=1, lines_per_second=chosen.fast_lines, seconds=chosen.fast_seconds)
            tell(f"one watcher at {chosen.fast_lines} lines a second", fast)
            misses += faults("one fast watcher", fast, MOST_MS_OF_FAST)
            result |= {"many": many, "fast": fast}
            if not chosen.no_limits:
                result["limits"] = limits(run, chosen.lines)
    return harness.report(result, misses)


def limits(run: Any, lines: int) -> dict[str, Any]:
    """Ask for more until it is too much; return how far it went, and what there was least left of."""
    found: dict[str, Any] = {}
    for watchers in MORE_WATCHERS:
        seen = run(watchers=watchers, lines_per_second=lines, seconds=LIMIT_SECONDS)
        tell(f"{watchers} watchers", seen)
        found["watchers"] = {"tried": watchers, "p99_ms": seen["delay_ms"]["p99"], "narrowest": narrowest(seen)}
        if faults("", seen, MOST_MS_OF_MANY):
            break
    for rate in MORE_LINES:
        seen = run(watchers=1, lines_per_second=rate, seconds=LIMIT_SECONDS / 2)
        tell(f"one watcher at {rate} lines a second", seen)
        found["lines"] = {"tried": rate, "p99_ms": seen["delay_ms"]["p99"], "narrowest": narrowest(seen)}
        if faults("", seen, MOST_MS_OF_FAST) or seen["lines_per_second"] < 0.9 * rate:
            break
    for name, limit in found.items():
        harness.say(f"limit of {name}: {limit['tried']}, p99 {limit['p99_ms']} ms; narrowest {limit['narrowest']}")
    return found


if __name__ == "__main__":
    sys.exit(main())
