#!/usr/bin/env python3
"""An engine that follows a script: the same command line, events, files and exit codes as OpenTofu and Terraform.

Standard library only. It reads `fake-engine.json` in its working directory:

- ``resources``: list of ``{name, input, seconds?, fails?}``, which a plan compares with the state by name
- ``outputs``: names to values
- ``script``: for a subcommand, steps to take before its usual work: ``{"print": text}``, ``{"error": text}``,
  ``{"flood": bytes}``, ``{"line": bytes}``, ``{"sleep": seconds}``, ``{"write": [path, text]}``,
  ``{"link": [path, target]}``, ``{"spawn": seconds}`` (a child that ignores SIGINT), ``{"spawn_detached": seconds}``,
  ``{"ignore_sigint": true}``, ``{"crash": signal}``, ``{"exit": code}``, ``{"once": [file, steps]}`` (steps until the
  file exists in the home directory, then none), ``{"absent": name}`` (fails when the home directory has it),
  ``{"read": path}``, ``{"environment": true}``
- ``journal``: ``[port, nonce]``: an apply tells who listens on loopback of each resource that it has made, as
  ``NONCE ADDRESS ID``, and goes on once that is kept; the state then names the ids
- ``drops_state``: an apply writes `errored.tfstate` in place of its state and fails
"""

import json
import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

SCRIPT = Path("fake-engine.json")
STATE = Path("terraform.tfstate")
interrupted = False


def say(kind: str, message: str, **more: object) -> None:
    print(json.dumps({"@level": "info", "@message": message, "type": kind, **more}), flush=True)


def fail(summary: str, detail: str = "", code: int = 1) -> None:
    diagnostic = {"severity": "error", "summary": summary, "detail": detail}
    print(
        json.dumps(
            {"@level": "error", "@message": f"Error: {summary}", "type": "diagnostic", "diagnostic": diagnostic}
        ),
        flush=True,
    )
    sys.exit(code)


def sleep(seconds: float) -> None:
    until = time.monotonic() + seconds
    while time.monotonic() < until and not interrupted:
        time.sleep(0.01)


def flood(size: int) -> None:
    block = ("y" * 99 + "\n") * 1000
    for _ in range(size // len(block)):
        sys.stdout.write(block)
    sys.stdout.flush()


def write(place: list) -> None:
    Path(place[0]).parent.mkdir(parents=True, exist_ok=True)
    Path(place[0]).write_text(place[1])


def link(place: list) -> None:
    Path(place[0]).unlink(missing_ok=True)
    Path(place[0]).symlink_to(place[1])


def spawn(seconds: float, *, detached: bool = False) -> None:
    code = f"import signal,time; signal.signal(signal.SIGINT, signal.SIG_IGN); time.sleep({seconds})"
    child = subprocess.Popen([sys.executable, "-c", code], start_new_session=detached)
    print(f"child {child.pid}", flush=True)


def once(what: list) -> None:
    marker = Path(os.environ["HOME"], what[0])
    if not marker.exists():
        marker.write_text("seen")
        for step in what[1]:
            take(step)


def read(path: str) -> None:
    try:
        print(f"read {path}: {Path(path).read_bytes()[:200]!r}", flush=True)
    except OSError as error:
        print(f"no {path}: {error.strerror}", flush=True)


def absent(name: str) -> None:
    if Path(os.environ["HOME"], name).exists():
        fail(f"{name} lies in the home directory")


STEPS = {
    "absent": absent,
    "print": lambda value: print(value, flush=True),
    "error": lambda value: print(value, file=sys.stderr, flush=True),
    "line": lambda value: print("z" * value, flush=True),
    "flood": flood,
    "sleep": sleep,
    "write": write,
    "link": link,
    "spawn": spawn,
    "spawn_detached": lambda value: spawn(value, detached=True),
    "ignore_sigint": lambda _: signal.signal(signal.SIGINT, signal.SIG_IGN),
    "crash": lambda value: os.kill(os.getpid(), value),
    "exit": sys.exit,
    "once": once,
    "read": read,
    "environment": lambda _: print("environment", json.dumps(dict(os.environ)), flush=True),
}


def take(step: dict) -> None:
    [(name, value)] = step.items()
    STEPS[name](value)


def state() -> dict:
    if STATE.exists():
        return json.loads(STATE.read_text())
    return {"version": 4, "serial": 0, "lineage": "fake-lineage", "outputs": {}, "resources": []}


def inputs_of(document: dict) -> dict:
    return {found["name"]: found["instances"][0]["attributes"]["input"] for found in document["resources"]}


def resource(name: str) -> dict:
    address = f"fake_thing.{name}"
    return {"addr": address, "module": "", "resource": address, "resource_type": "fake_thing", "resource_name": name}


def change_of(name: str, before: object, after: object) -> dict:
    action = "create" if before is None else "delete" if after is None else "no-op" if before == after else "update"
    return {
        "address": f"fake_thing.{name}",
        "mode": "managed",
        "type": "fake_thing",
        "name": name,
        "provider_name": "example.invalid/fake/fake",
        "change": {
            "actions": [action],
            "before": None if before is None else {"input": before},
            "after": None if after is None else {"input": after},
            "after_unknown": {},
            "before_sensitive": False,
            "after_sensitive": False,
        },
    }


def plan(script: dict, options: list) -> int:
    is_destroy = "-destroy" in options
    old = state()
    have = inputs_of(old)
    want = {} if is_destroy else {found["name"]: found["input"] for found in script.get("resources", [])}
    outputs = {} if is_destroy else script.get("outputs", {})
    changes = [change_of(name, have.get(name), want.get(name)) for name in sorted({*have, *want})]
    counted = {"create": 0, "update": 0, "delete": 0}
    for change in changes:
        action = change["change"]["actions"][0]
        if action != "no-op":
            counted[action] += 1
            say(
                "planned_change",
                f"{change['address']}: Plan to {action}",
                change={"resource": resource(change["name"]), "action": action},
            )
    output_changes = {
        name: {"actions": ["create"], "before": None, "after": value, "after_unknown": False}
        for name, value in outputs.items()
        if old["outputs"].get(name, {}).get("value") != value
    }
    say(
        "change_summary",
        "Plan: {create} to add, {update} to change, {delete} to destroy.".format(**counted),
        changes={
            "add": counted["create"],
            "change": counted["update"],
            "remove": counted["delete"],
            "import": 0,
            "operation": "plan",
        },
    )
    document = {
        "format_version": "1.2",
        "terraform_version": "1.99.0",
        "resource_changes": changes,
        "output_changes": output_changes,
    }
    out = next(option.removeprefix("-out=") for option in options if option.startswith("-out="))
    Path(out).write_text(json.dumps({"document": document, "want": want, "outputs": outputs, "cwd": str(Path.cwd())}))
    return 2 if any(counted.values()) or output_changes else 0


def id_of(script: dict, name: str, value: object) -> str:
    return f"{name}-{value}" if "journal" in script else name


def tell_journal(script: dict, name: str, value: object) -> None:
    port, nonce = script["journal"]
    with socket.create_connection(("127.0.0.1", port), timeout=10) as connection:
        connection.sendall(f"{nonce} fake_thing.{name} {id_of(script, name, value)}\n".encode())
        if connection.makefile().readline() != "kept\n":
            fail("The journal did not answer")


def attributes(script: dict, name: str, value: object) -> dict:
    return {"input": value, **({"id": id_of(script, name, value)} if "journal" in script else {})}


def write_state(script: dict, document: dict, have: dict) -> None:
    document["resources"] = [
        {
            "mode": "managed",
            "type": "fake_thing",
            "name": name,
            "provider": 'provider["example.invalid/fake/fake"]',
            "instances": [{"schema_version": 0, "attributes": attributes(script, name, value)}],
        }
        for name, value in sorted(have.items())
    ]
    document["serial"] += 1
    target = Path("errored.tfstate") if script.get("drops_state") else STATE
    target.write_text(json.dumps(document))


def apply_one(script: dict, change: dict, known: dict, have: dict, want: dict) -> bool:
    action, name = change["change"]["actions"][0], change["name"]
    hook = {"resource": resource(name), "action": action}
    say("apply_start", f"{change['address']}: working", hook=hook)
    sleep(known.get("seconds", 0))
    while known.get("awaits") and not Path(known["awaits"]).exists() and not interrupted:
        time.sleep(0.01)
    if known.get("fails"):
        say("apply_errored", f"{change['address']}: failed", hook=hook)
        return False
    if interrupted:
        return True
    if action == "delete":
        del have[name]
    else:
        have[name] = want[name]
        if "journal" in script:
            tell_journal(script, name, want[name])
    done = {**hook, "id_key": "id", "id_value": id_of(script, name, want.get(name)), "elapsed_seconds": 0}
    say("apply_complete", f"{change['address']}: done", hook=done)
    return True


def apply(script: dict, plan_file: str) -> int:
    saved = json.loads(Path(plan_file).read_text())
    if saved["cwd"] != str(Path.cwd()):
        fail("Planned elsewhere", f"{saved['cwd']} is not {Path.cwd()}")
    known = {found["name"]: found for found in script.get("resources", [])}
    document = state()
    have = inputs_of(document)
    failed = False
    for change in saved["document"]["resource_changes"]:
        if change["change"]["actions"][0] != "no-op" and not interrupted:
            failed |= not apply_one(script, change, known.get(change["name"], {}), have, saved["want"])
    if not interrupted and not failed:
        document["outputs"] = {name: {"value": value, "type": "string"} for name, value in saved["outputs"].items()}
    write_state(script, document, have)
    if script.get("drops_state"):
        fail("Failed to save state", "The state could not be written; it is in errored.tfstate.")
    if interrupted:
        fail("execution halted", "interrupted")
    if failed:
        fail("apply failed")
    return 0


def on_interrupt(*_: object) -> None:
    global interrupted
    interrupted = True


def main() -> int:
    signal.signal(signal.SIGINT, on_interrupt)
    arguments = sys.argv[1:]
    if arguments[0] == "version":
        print(json.dumps({"terraform_version": "1.99.0", "platform": "linux_amd64"}))
        return 0
    script = json.loads(SCRIPT.read_text()) if SCRIPT.exists() else {}
    for step in script.get("script", {}).get(arguments[0], []):
        take(step)
    if arguments[0] == "init":
        Path(".terraform").mkdir(exist_ok=True)
        say("init_output", "Fake engine initialized.")
        return 0
    if arguments[0] == "plan":
        return plan(script, arguments)
    if arguments[0] == "show":
        print(json.dumps(json.loads(Path(arguments[-1]).read_text())["document"]))
        return 0
    if arguments[0] == "apply":
        return apply(script, arguments[-1])
    print(f"unknown subcommand {arguments[0]}", file=sys.stderr)
    return 1


if __name__ == "__main__":
    sys.exit(main())
