"""The inner half of ``box.py``: within new namespaces, mount what the box is made of, go in, become someone, run.

Called as ``python inside.py BOX.json`` by a process that ``unshare`` has just made; the last step replaces this process.
"""

from __future__ import annotations

import ctypes
import fcntl
import json
import os
import resource
import socket
import struct
import subprocess
import sys
from pathlib import Path
from typing import Any

#: Capabilities that Docker leaves to a container, by their numbers in linux/capability.h: chown, dac_override, fowner,
#: fsetid, kill, setgid, setuid, setpcap, net_bind_service, net_raw, sys_chroot, mknod, audit_write, setfcap
DOCKERS = {0, 1, 3, 4, 5, 6, 7, 8, 10, 13, 18, 27, 29, 31}
_PR_CAPBSET_READ, _PR_CAPBSET_DROP = 23, 24
_DEVICES = ("null", "zero", "full", "random", "urandom")
_LINKS = {"fd": "/proc/self/fd", "stdin": "/proc/self/fd/0", "stdout": "/proc/self/fd/1", "stderr": "/proc/self/fd/2"}


def main() -> None:
    """Set up and run."""
    box = json.loads(Path(sys.argv[1]).read_text(encoding="utf-8"))
    root = Path(box["root"])
    mount("--make-rprivate", "/")
    mount("-t", "overlay", "overlay", "-o", box["overlay"], root)
    set_up_system(root, box)
    for source, target, writable in box["binds"]:
        bind(Path(source), root / target.lstrip("/"), writable)
    if box["read_only"]:
        mount("-o", "remount,ro,bind", root)
    if not box["network"]:
        raise_loopback()
    if box["address_space"]:
        resource.setrlimit(resource.RLIMIT_AS, (box["address_space"], box["address_space"]))
    os.chroot(root)
    os.chdir(box["cwd"])
    drop_capabilities()
    if box["user"] is not None:
        uid, gid = box["user"]
        os.setgroups([])
        os.setgid(gid)
        os.setuid(uid)
    try:
        os.execvpe(box["command"][0], box["command"], box["environment"])
    except OSError as error:
        sys.exit(f"{box['command'][0]}: {error.strerror}")


def set_up_system(root: Path, box: dict[str, Any]) -> None:
    """/proc, /sys, /dev with a small /dev/shm, and what the base borrows from this machine."""
    for source in box["borrowed"]:
        mount("--rbind", source, root / source.lstrip("/"))
        mount("-o", "remount,ro,bind", root / source.lstrip("/"))
    mount("-t", "proc", "proc", root / "proc")
    mount("--rbind", "/sys", root / "sys")
    dev = root / "dev"
    mount("-t", "tmpfs", "-o", "mode=755", "tmpfs", dev)
    for name in _DEVICES:
        bind(Path("/dev", name), dev / name, True)
    for name, target in _LINKS.items():
        (dev / name).symlink_to(target)
    (dev / "shm").mkdir()
    mount("-t", "tmpfs", "-o", f"mode=1777,size={box['shm']}", "tmpfs", dev / "shm")
    mount("-t", "tmpfs", "-o", "mode=755", "tmpfs", root / "run")


def bind(source: Path, target: Path, writable: bool) -> None:
    """A file or folder of this machine at a place in the box."""
    if source.is_dir():
        target.mkdir(parents=True, exist_ok=True)
    elif not target.exists():
        target.parent.mkdir(parents=True, exist_ok=True)
        target.touch()
    mount("--bind", source, target)
    if not writable:
        mount("-o", "remount,ro,bind", target)


def mount(*words: object) -> None:
    """``mount``; its message, if it fails, is the program's last."""
    if subprocess.run(["mount", *map(str, words)], check=False).returncode:
        sys.exit(f"replay: cannot mount: {' '.join(map(str, words))}")


def raise_loopback() -> None:
    """In a network of its own a process has the loopback device and nothing else."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as any_socket:
        # struct ifreq: the name, then the flags; SIOCSIFFLAGS with IFF_UP | IFF_RUNNING
        fcntl.ioctl(any_socket, 0x8914, struct.pack("16sH14x", b"lo", 0x41))


def drop_capabilities() -> None:
    """Leave to root what Docker leaves to it."""
    libc = ctypes.CDLL(None, use_errno=True)
    for number in range(64):
        if number not in DOCKERS and libc.prctl(_PR_CAPBSET_READ, number, 0, 0, 0) == 1:
            libc.prctl(_PR_CAPBSET_DROP, number, 0, 0, 0)


if __name__ == "__main__":
    main()
