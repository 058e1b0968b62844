"""The system calls that a sandboxed process may not make, as a filter for bubblewrap's ``--seccomp``.

Namespaces and the unprivileged uid leave a few doors: keyrings belong to no namespace (a process inherits its parent's
session keyring), and a user namespace of its own gives a process capabilities against the kernel's code. Engines and
providers need neither, nor tracing of the kernel. The rest is allowed: this narrows what the kernel shows, it is not
what holds the sandbox together. Source of the format: ``linux/filter.h`` and ``linux/seccomp.h``.
"""

import errno
import platform
import struct
from dataclasses import dataclass
from functools import lru_cache

_LOAD, _EQUAL, _MASK, _AT_LEAST, _RETURN = 0x20, 0x15, 0x45, 0x35, 0x06
_NUMBER, _ARCHITECTURE, _FIRST_ARGUMENT = 0, 4, 16
_ALLOW = 0x7FFF0000
_KILL_PROCESS = 0x80000000
_REFUSE = 0x00050000
_NEW_USER_NAMESPACE = 0x10000000
# On x86-64 the 32-bit pointer variant has the same calls under these numbers.
_X32 = 0x40000000


@dataclass(frozen=True)
class _Machine:
    """How a machine calls itself (``AUDIT_ARCH_*``), and its numbers of the calls."""

    audit: int
    clone: int
    unshare: int
    refused: tuple[int, ...]
    has_x32: bool = False


# add_key, request_key, keyctl, bpf, perf_event_open, userfaultfd, kexec_load, kexec_file_load, init_module,
# finit_module, delete_module, open_by_handle_at, io_uring_setup, io_uring_enter, io_uring_register.
_MACHINES = {
    "x86_64": _Machine(
        0xC000003E, 56, 272, (248, 249, 250, 321, 298, 323, 246, 320, 175, 313, 176, 304, 425, 426, 427), has_x32=True
    ),
    "aarch64": _Machine(
        0xC00000B7, 220, 97, (217, 218, 219, 280, 241, 282, 104, 294, 105, 273, 106, 265, 425, 426, 427)
    ),
}
_CLONE3 = 435


@lru_cache(maxsize=1)
def program(machine: str | None = None) -> bytes | None:
    """Return the filter for this machine; None for one whose calls are not known here."""
    known = _MACHINES.get(machine or platform.machine())
    if known is None:
        return None
    refuse = _REFUSE | errno.EPERM
    code = [(_LOAD, 0, 0, _ARCHITECTURE), (_EQUAL, 1, 0, known.audit), (_RETURN, 0, 0, _KILL_PROCESS)]
    code.append((_LOAD, 0, 0, _NUMBER))
    if known.has_x32:
        code += [(_AT_LEAST, 0, 1, _X32), (_RETURN, 0, 0, refuse)]
    for number in known.refused:
        code += [(_EQUAL, 0, 1, number), (_RETURN, 0, 0, refuse)]
    # Its flags lie in memory, where a filter can't look: libraries then fall back to clone.
    code += [(_EQUAL, 0, 1, _CLONE3), (_RETURN, 0, 0, _REFUSE | errno.ENOSYS)]
    code += [(_EQUAL, 1, 0, known.clone), (_EQUAL, 0, 3, known.unshare)]
    code += [(_LOAD, 0, 0, _FIRST_ARGUMENT), (_MASK, 0, 1, _NEW_USER_NAMESPACE), (_RETURN, 0, 0, refuse)]
    code.append((_RETURN, 0, 0, _ALLOW))
    return b"".join(struct.pack("=HBBI", *instruction) for instruction in code)
