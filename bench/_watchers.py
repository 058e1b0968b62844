"""Watchers of one run, as many as wanted in one process: raw WebSockets that check every offset.

Started by ``progress.py``; says on standard output when all are connected, and at the end what they saw, as JSON. Each
distinct frame is parsed once, each watcher's arrival of it noted, and delays are counted line by line at the end.
"""

import asyncio
import json
import random
import resource
import sys
import time
from base64 import b64encode
from collections import Counter
from os import urandom
from typing import Any

import uvloop

_HEAD_END = b"\r\n\r\n"
_COMPLETE = 1000


class Frames:
    """What came, parsed once: first and next offset of each distinct frame, and when its lines were written."""

    def __init__(self) -> None:
        self._known: dict[bytes, tuple[int, int, int]] = {}
        self.written: list[list[float]] = []
        self.wrong: list[str] = []

    def read(self, payload: bytes) -> tuple[int, int, int] | None:
        """Return (number, first, next) of a frame of records; None for a ping."""
        found = self._known.get(payload)
        if found is not None:
            return found
        document = json.loads(payload)
        if document["type"] != "records":
            return None
        records = document["records"]
        first = records[0]["offset"] if records else document["next"]
        if [record["offset"] for record in records] != list(range(first, document["next"])):
            self.wrong.append(f"a frame at {first} has other offsets than it says")
        for record in records:
            if int(record["text"].split(" ", 1)[0]) != record["offset"]:
                self.wrong.append(f"offset {record['offset']} holds {record['text'][:20]!r}")
        found = self._known[payload] = (len(self.written), first, document["next"])
        self.written.append([float(record["text"].split(" ", 2)[1]) for record in records])
        return found


class Watcher(asyncio.Protocol):
    """One WebSocket after another, resumed at the cursor, until the stream is complete."""

    def __init__(self, crowd: "Crowd", *, is_restless: bool) -> None:
        self.crowd = crowd
        self.cursor = 0
        self.is_done = False
        self.is_restless = is_restless
        self.drops = 0
        self.arrivals: list[tuple[float, int]] = []
        self.transport: Any = None
        self._buffer = bytearray()
        self._is_open = False

    def connection_made(self, transport: Any) -> None:
        """Ask for the WebSocket."""
        self.transport = transport
        self._buffer.clear()
        self._is_open = False
        key = b64encode(urandom(16)).decode()
        crowd = self.crowd
        transport.write(
            f"GET /terraform/ws/runs/{crowd.run_id}?after={self.cursor} HTTP/1.1\r\nHost: {crowd.host}:{crowd.port}\r\n"
            f"Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Key: {key}\r\nSec-WebSocket-Version: 13\r\n"
            f"Authorization: Bearer {crowd.token}\r\n\r\n".encode()
        )

    def data_received(self, data: bytes) -> None:
        """Take bytes, and each whole frame in them."""
        now = time.monotonic()
        buffer = self._buffer
        buffer += data
        if not self._is_open:
            end = buffer.find(_HEAD_END)
            if end < 0:
                return
            if not buffer.startswith(b"HTTP/1.1 101"):
                self.crowd.frames.wrong.append(f"not opened: {bytes(buffer[:60])!r}")
                self.transport.abort()
                return
            del buffer[: end + 4]
            self._is_open = True
            self.crowd.opened()
        while len(buffer) >= 2:
            size, begin = buffer[1] & 0x7F, 2
            if size == 126:
                size, begin = int.from_bytes(buffer[2:4], "big"), 4
            elif size == 127:
                size, begin = int.from_bytes(buffer[2:10], "big"), 10
            if len(buffer) < begin + size:
                return
            payload = bytes(buffer[begin : begin + size])
            opcode = buffer[0] & 0x0F
            del buffer[: begin + size]
            self._frame(opcode, payload, now)

    def _frame(self, opcode: int, payload: bytes, now: float) -> None:
        if opcode == 9:
            self._send(0x8A, payload)
        elif opcode == 8:
            code = int.from_bytes(payload[:2], "big")
            self._send(0x88, payload[:2])
            if code == _COMPLETE:
                self.is_done = True
            else:
                self.crowd.frames.wrong.append(f"closed with {code}")
            self.crowd.ended(self)
        else:
            found = self.crowd.frames.read(payload)
            if found is None:
                return
            number, first, following = found
            if first != self.cursor:
                self.crowd.frames.wrong.append(
                    f"at {self.cursor} came {first}: {'lost' if first > self.cursor else 'doubled'}"
                )
            self.cursor = following
            self.arrivals.append((now, number))

    def _send(self, head: int, payload: bytes) -> None:
        # The mask of zeros leaves the payload as it is.
        self.transport.write(bytes((head, 0x80 | len(payload))) + b"\0\0\0\0" + payload)

    def connection_lost(self, error: Exception | None) -> None:
        """Come again, unless all was seen."""
        del error
        if not self.is_done and not self.crowd.is_over:
            self.crowd.again(self)

    def drop(self) -> None:
        """Leave without a word."""
        self.drops += 1
        self.transport.abort()


class Crowd:
    """All watchers of this process."""

    def __init__(self, options: dict[str, Any]) -> None:
        self.host, self.port, self.token = options["host"], options["port"], options["token"]
        self.run_id = options["run_id"]
        self.frames = Frames()
        self.watchers = [
            Watcher(self, is_restless=number < options["restless"]) for number in range(options["watchers"])
        ]
        self.is_over = False
        self._opened = 0
        self._all_open = asyncio.Event()
        self._all_done = asyncio.Event()
        self._done = 0
        self._tasks: set[asyncio.Task[None]] = set()

    def opened(self) -> None:
        """Count one that is connected."""
        self._opened += 1
        if self._opened == len(self.watchers):
            self._all_open.set()

    def ended(self, watcher: Watcher) -> None:
        """Count one that has seen the end, or can't."""
        del watcher
        self._done += 1
        if self._done == len(self.watchers):
            self._all_done.set()

    def again(self, watcher: Watcher) -> None:
        """Connect a watcher that was cut, after a moment."""
        self._start(self._connect(watcher, random.random() * 0.5))

    def _start(self, work: Any) -> None:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _connect(self, watcher: Watcher, delay: float) -> None:
        await asyncio.sleep(delay)
        await asyncio.get_running_loop().create_connection(lambda: watcher, self.host, self.port)

    async def _disturb(self) -> None:
        restless = [watcher for watcher in self.watchers if watcher.is_restless]
        while restless:
            await asyncio.sleep(random.random() * 4 / len(restless))
            watcher = random.choice(restless)
            if not watcher.is_done and not watcher.transport.is_closing():
                watcher.drop()

    async def run(self, most_seconds: float) -> dict[str, Any]:
        """Connect, say so, watch to the end; return what was seen."""
        for start in range(0, len(self.watchers), 25):
            await asyncio.gather(*(self._connect(watcher, 0) for watcher in self.watchers[start : start + 25]))
            await asyncio.sleep(0.1)
        await asyncio.wait_for(self._all_open.wait(), 60)
        print("open", flush=True)
        before = resource.getrusage(resource.RUSAGE_SELF)
        self._start(self._disturb())
        try:
            await asyncio.wait_for(self._all_done.wait(), most_seconds)
        except TimeoutError:
            self.frames.wrong.append(f"{len(self.watchers) - self._done} watchers did not reach the end")
        after = resource.getrusage(resource.RUSAGE_SELF)
        self.is_over = True
        for task in self._tasks:
            task.cancel()
        return {
            "cpu_seconds": after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime,
            "cursors": sorted(Counter(watcher.cursor for watcher in self.watchers).items()),
            "drops": sum(watcher.drops for watcher in self.watchers),
            "frames": len(self.frames.written),
            "wrong": self.frames.wrong[:20],
            "delays_ms": self._delays(),
        }

    def _delays(self) -> dict[int, int]:
        """Return how many lines came after how many milliseconds, to those that stayed."""
        counted: Counter[int] = Counter()
        for watcher in self.watchers:
            if watcher.is_restless:
                continue
            for at, number in watcher.arrivals:
                for written in self.frames.written[number]:
                    counted[int((at - written) * 1000)] += 1
        return dict(counted)


async def main() -> None:
    """Read the options from standard input."""
    options = json.loads(sys.stdin.readline())
    print(json.dumps(await Crowd(options).run(options["most_seconds"])), flush=True)


if __name__ == "__main__":
    uvloop.run(main())
