"""A host that once gave replicas a network of their own is never taken for one that cannot."""

import errno
import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from placet_agent.downloads import pythons
from placet_agent.downloads.pythons import Interpreters
from placet_agent.loop import platform_info
from placet_agent.process import limits, sandbox
from placet_agent.process.networks import Networks

CANNOT = "bwrap: loopback: Failed RTM_NEWADDR: Operation not permitted"
Faulty = Callable[..., Path]


@pytest.fixture
def faulty(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Faulty:
    """Put a bwrap in the real one's place that fails as it does where a network is not to be had.

    It does so while the file that is returned is there.
    """
    real = sandbox.bwrap()

    def put(words: str = CANNOT, option: str = "--unshare-net") -> Path:
        failing, script = tmp_path / "failing", tmp_path / "bwrap"
        failing.touch()
        script.write_text(
            f'#!/bin/sh\nif [ -e {failing} ]; then case " $* " in *" {option} "*)\n'
            f"  echo '{words}' >&2; exit 1;; esac; fi\nexec {real} \"$@\"\n"
        )
        script.chmod(0o755)
        monkeypatch.setattr(sandbox, "bwrap", lambda: str(script))
        monkeypatch.setattr(sandbox, "_given", set())
        return failing

    return put


def test_a_host_that_never_gave_networks_is_asked_again_and_again(
    faulty: Faulty, tmp_path: Path
) -> None:
    failing, found = faulty(), Networks(tmp_path)
    assert (found.given(), found.look()) == ("host", "host")
    assert not (tmp_path / "network.json").exists()

    failing.unlink()

    assert (found.look(), found.given()) == ("own", "own")
    assert (tmp_path / "network.json").exists()


def test_a_host_that_gave_one_once_is_asked_for_nothing_else(
    faulty: Faulty, tmp_path: Path
) -> None:
    assert Networks(tmp_path).look() == "own"
    faulty()

    later = Networks(tmp_path)

    assert (later.given(), later.look()) == ("own", "own")


def test_replicas_of_an_agent_that_kept_no_record_tell_as_well(
    faulty: Faulty, tmp_path: Path
) -> None:
    faulty()
    (tmp_path / "replicas").mkdir()
    (tmp_path / "replicas/rev_0-1.json").write_text("{cut sho")
    (tmp_path / "replicas/rev_1-1.json").write_text(json.dumps({"network": "host"}))
    assert Networks(tmp_path).given() == "host"

    (tmp_path / "replicas/rev_2-1.json").write_text(json.dumps({"network": "own"}))

    assert Networks(tmp_path).given() == "own"


def test_an_operator_may_say_that_the_hosts_network_will_do(faulty: Faulty, tmp_path: Path) -> None:
    assert Networks(tmp_path).look() == "own"
    failing = faulty()

    found = Networks(tmp_path, shared=True)

    assert found.given() == "host"
    failing.unlink()
    assert (found.look(), found.given()) == ("own", "own")
    failing.touch()
    assert found.look() == "host"


@pytest.mark.parametrize("number", [errno.ENOMEM, errno.EAGAIN, errno.ENOSPC, errno.ENFILE, 524])
def test_a_host_that_is_short_of_something_is_asked_for_a_network_all_the_same(
    faulty: Faulty, tmp_path: Path, number: int
) -> None:
    faulty(f"bwrap: Creating new namespace failed: {os.strerror(number)}")

    with pytest.raises(sandbox.Unsure, match=os.strerror(number)):
        sandbox.gives("own")

    assert (Networks(tmp_path).given(), Networks(tmp_path).look()) == ("own", "own")
    assert not (tmp_path / "network.json").exists()


def test_that_nothing_can_be_written_makes_no_host_forget(faulty: Faulty, tmp_path: Path) -> None:
    found = Networks(tmp_path / "full")
    assert found.look() == "own"
    faulty()

    assert (found.given(), found.look()) == ("own", "own")
    (tmp_path / "full").mkdir()
    assert found.look() == "own"
    assert (tmp_path / "full/network.json").exists()


def test_that_bwrap_does_not_work_is_asked_again(faulty: Faulty) -> None:
    failing = faulty(option="--unshare-pid")
    assert sandbox.isolation() == "none"

    failing.unlink()

    assert sandbox.isolation() == "bwrap"


@pytest.mark.parametrize(
    "fault",
    [
        OSError(errno.EAGAIN, "Resource temporarily unavailable"),
        OSError(errno.ENOMEM, "no memory"),
        subprocess.TimeoutExpired("true", 20),
    ],
)
def test_of_a_host_that_is_busy_nothing_is_kept(
    faulty: Faulty, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, fault: Exception
) -> None:
    faulty().unlink()
    faults, real = [fault] * 2 * sandbox.PROBES, subprocess.run

    def busy(*words: Any, **options: Any) -> Any:
        if faults:
            raise faults.pop()
        return real(*words, **options)

    monkeypatch.setattr(subprocess, "run", busy)
    assert sandbox.isolation() == "none"
    with pytest.raises(sandbox.Unsure):
        sandbox.gives("own")

    assert not faults
    assert (sandbox.isolation(), Networks(tmp_path).look()) == ("bwrap", "own")


def test_a_busy_hosts_python_is_found_all_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    faults, real = [subprocess.TimeoutExpired("python", 20)], subprocess.run

    def busy(*words: Any, **options: Any) -> Any:
        if faults:
            raise faults.pop()
        return real(*words, **options)

    pythons._answer.cache_clear()
    monkeypatch.setattr(subprocess, "run", busy)
    found = pythons.probe(Path(sys.executable))

    assert found is not None and found.version == sys.version_info[:3]
    assert not faults


@pytest.mark.parametrize(
    ("number", "starts"), [(errno.ENOMEM, False), (errno.ENOSPC, False), (errno.EROFS, True)]
)
def test_that_no_control_group_can_be_made_now_is_not_kept(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, number: int, starts: bool
) -> None:
    """Where groups cannot be made at all there is ``prlimit``; where they only fail, nothing."""
    for name in ("memory", "pids", "cpu"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "cgroup.procs").touch()
    real = Path.mkdir

    def refuse(path: Path, *words: Any, **options: Any) -> None:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(limits, "ROOT", tmp_path)
    monkeypatch.setattr(limits, "_found", [])
    monkeypatch.setattr(Path, "mkdir", refuse)
    found = limits.limiter()
    assert found.kind == "prlimit"
    if starts:
        assert found.make("rev_1-1", 64) == ()
    else:
        with pytest.raises(OSError, match=os.strerror(number)):
            found.make("rev_1-1", 64)
    assert not found.killed("rev_1-1")
    found.remove("rev_1-1")

    monkeypatch.setattr(Path, "mkdir", real)

    assert limits.limiter().kind == "cgroup1"
    assert len(limits.limiter().make("rev_1-1", 64)) == 3


def test_a_host_where_bwrap_does_not_work_does_not_say_that_it_keeps_replicas_apart(
    faulty: Faulty, tmp_path: Path
) -> None:
    failing = faulty(option="--unshare-pid")
    told = lambda: platform_info(Interpreters([]), "3.2", 8080, Networks(tmp_path), "")  # noqa: E731
    assert (told()["isolation"], "apart" in told()["features"]) == ("none", False)
    assert "unit" in told()["features"]

    failing.unlink()

    assert (told()["isolation"], "apart" in told()["features"]) == ("bwrap", True)
