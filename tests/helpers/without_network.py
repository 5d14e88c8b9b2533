"""python without_network.py ARGS…: run `python ARGS…`, and tell whether it asked for a network.

Linux only, x86_64 and aarch64. A seccomp filter (seccomp(2), SECCOMP_RET_USER_NOTIF) stops the
program, its threads and all its descendants at each request for a socket of any family but
AF_UNIX, and for io_uring, which could open one unseen, and notifies this process. No such request
is ever granted. Exits with ASKED if there was one, with REFUSED where the kernel has no such
filters, else as the program does.
"""

import ctypes
import os
import platform
import select
import socket
import sys

ASKED, REFUSED = 66, 77

# The AUDIT_ARCH_… of linux/audit.h, and the numbers of the system calls socket and seccomp.
_MACHINES = {"x86_64": (0xC000003E, 41, 317), "aarch64": (0xC00000B7, 198, 277)}
_IO_URING_SETUP = 425
_LOAD, _JUMP_IF_EQUAL, _RETURN = 0x20, 0x15, 0x06
_NUMBER, _ARCHITECTURE, _FIRST_ARGUMENT = 0, 4, 16  # offsets in struct seccomp_data
_KILL_PROCESS, _NOTIFY, _ALLOW = 0x80000000, 0x7FC00000, 0x7FFF0000
_SET_NO_NEW_PRIVILEGES, _SET_MODE_FILTER, _NEW_LISTENER = 38, 1, 8
_STRAGGLERS_S = 5.0


class _Instruction(ctypes.Structure):
    _fields_ = (
        ("code", ctypes.c_uint16),
        ("skip_if_true", ctypes.c_uint8),
        ("skip_if_false", ctypes.c_uint8),
        ("operand", ctypes.c_uint32),
    )


class _Program(ctypes.Structure):
    _fields_ = (
        ("length", ctypes.c_uint16),
        ("instructions", ctypes.POINTER(_Instruction)),
    )


def _listen() -> int:
    """Install the filter in this process; a file descriptor that is readable at each request."""
    architecture, socket_number, seccomp_number = _MACHINES[platform.machine()]
    instructions = (  # code, instructions to skip if true, if false, operand
        (_LOAD, 0, 0, _ARCHITECTURE),
        (_JUMP_IF_EQUAL, 1, 0, architecture),
        (_RETURN, 0, 0, _KILL_PROCESS),
        (_LOAD, 0, 0, _NUMBER),
        (_JUMP_IF_EQUAL, 3, 0, _IO_URING_SETUP),
        (_JUMP_IF_EQUAL, 0, 3, socket_number),
        (_LOAD, 0, 0, _FIRST_ARGUMENT),
        (_JUMP_IF_EQUAL, 1, 0, socket.AF_UNIX),
        (_RETURN, 0, 0, _NOTIFY),
        (_RETURN, 0, 0, _ALLOW),
    )
    array = (_Instruction * len(instructions))(*(_Instruction(*each) for each in instructions))
    program = _Program(len(array), array)
    libc = ctypes.CDLL(None)
    if libc.prctl(_SET_NO_NEW_PRIVILEGES, 1, 0, 0, 0):
        return -1
    listener: int = libc.syscall(
        seccomp_number, _SET_MODE_FILTER, _NEW_LISTENER, ctypes.byref(program)
    )
    return listener


def _become(program: list[str], to_watcher: socket.socket) -> None:
    listener = _listen()
    if listener < 0:
        os._exit(REFUSED)
    socket.send_fds(to_watcher, [b"."], [listener])
    os.execv(sys.executable, [sys.executable, *program])


def _asked(listener: int, child: int) -> bool:
    """Whether a request comes before the child and all its descendants have ended."""
    poll = select.poll()
    poll.register(listener, select.POLLIN)
    alive = os.pidfd_open(child)
    poll.register(alive, select.POLLIN)
    timeout_ms = None
    while events := dict(poll.poll(timeout_ms)):
        if listener in events:
            return bool(events[listener] & select.POLLIN)  # else a hang-up: none is left
        poll.unregister(alive)
        timeout_ms = _STRAGGLERS_S * 1000  # older kernels tell of no hang-up
    return False


def main() -> int:
    mine, childs = socket.socketpair()
    child = os.fork()
    if child == 0:
        _become(sys.argv[1:], childs)
    childs.close()
    _, listeners, _, _ = socket.recv_fds(mine, 1, 1)
    asked = _asked(listeners[0], child) if listeners else False
    for listener in listeners:
        os.close(listener)  # whoever still asks is told that there is no such system call
    _, status = os.waitpid(child, 0)
    return ASKED if asked else os.waitstatus_to_exitcode(status)


if __name__ == "__main__":
    sys.exit(main())
