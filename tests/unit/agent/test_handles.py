"""An ordinary user's agent hands sockets over, whatever a replica keeps under way in others."""

import os
import resource
import socket
import subprocess

import pytest

from placet_agent.holder import HANDLES, raise_handles
from tests.support.users import as_user

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


def hand_over() -> str:
    """Hand over a socket, as the agent does; say how it went."""
    near, far = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    with near, far:
        try:
            socket.send_fds(near, [b"x"], [near.fileno()])
        except OSError as error:
            return str(error.strerror)
        return "handed over"


def agent() -> str:
    """Try it before and after the limit was raised."""
    return f"{hand_over()}, {raise_handles()}, {hand_over()}"


@pytest.mark.skipif(os.geteuid() != 0, reason="needs a user of its own")
def test_what_a_replica_keeps_under_way_leaves_the_agent_its_own() -> None:
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    most = HANDLES if hard == resource.RLIM_INFINITY else min(hard, HANDLES)
    if most < 9000:
        pytest.skip("no user here may have as many descriptors as a replica keeps")
    become = ("setpriv", f"--reuid={USER}", f"--regid={USER}", "--clear-groups")
    keep = subprocess.Popen(
        ["prlimit", "--nofile=8192:8192", *become, "/usr/bin/python3", "-c", KEEP],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert keep.stdout is not None
    try:
        assert keep.stdout.readline() == "Too many references: cannot splice\n"
        output = as_user(USER, agent, files=(1024, most))
    finally:
        keep.communicate("", timeout=30)

    assert output == f"Too many references: cannot splice, {most}, handed over"
