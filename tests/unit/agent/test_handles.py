"""An ordinary user's agent hands sockets over, whatever a replica keeps under way in others."""

import os
import resource
import subprocess
import sys
from pathlib import Path

import pytest

from placet_agent.holder import HANDLES

PLATFORM = Path(__file__).resolve().parents[3] / "platform"
USER = 60997  # whose descriptors nobody else counts
KEEP = """
import array, os, socket, sys
one, kept = os.open("/dev/null", os.O_RDONLY), []
try:
    while len(kept) < 100:
        kept.append(socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM))
        for _ in range(5):
            given = array.array("i", [one] * 250)
            kept[-1][0].sendmsg([b"x"], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, given)])
except OSError as error:
    print(error.strerror, flush=True)
sys.stdin.read()
"""
HAND_OVER = """
import os, socket
from placet_agent.holder import raise_handles
def hand_over():
    near, far = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    try:
        socket.send_fds(near, [b"x"], [near.fileno()])
        return "handed over"
    except OSError as error:
        return error.strerror
print(hand_over(), raise_handles(), hand_over(), sep=", ")
"""


@pytest.mark.skipif(os.geteuid() != 0, reason="needs a user of its own")
def test_what_a_replica_keeps_under_way_leaves_the_agent_its_own() -> None:
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    most = HANDLES if hard == resource.RLIM_INFINITY else min(hard, HANDLES)
    if most < 9000:
        pytest.skip("no user here may have as many descriptors as a replica keeps")
    become = ("setpriv", f"--reuid={USER}", f"--regid={USER}", "--clear-groups")
    keep = subprocess.Popen(
        ["prlimit", "--nofile=8192:8192", *become, "/usr/bin/python3", "-c", KEEP],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    assert keep.stdout is not None
    try:
        assert keep.stdout.readline() == "Too many references: cannot splice\n"
        done = subprocess.run(
            ["prlimit", f"--nofile=1024:{most}", *become, sys.executable, "-c", HAND_OVER],
            env={"PYTHONPATH": str(PLATFORM)}, capture_output=True, text=True, check=True,
        )  # fmt: skip
    finally:
        keep.communicate("", timeout=30)

    assert done.stdout == f"Too many references: cannot splice, {most}, handed over\n"
