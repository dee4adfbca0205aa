"""A runtime is installed before anybody approved what is in it: nothing of it runs then."""

import hashlib
import os
import subprocess
from collections.abc import Mapping
from pathlib import Path

import pytest

from placet_agent.downloads import runtimes, wheels
from placet_agent.downloads.runtimes import INSIDE
from placet_agent.process import limits
from placet_verify import canonical
from tests.integration.agent.conftest import NodeUnderTest
from tests.integration.agent.control import Platform
from tests.support.wheels import NAME, PYTHONS, config, fake, wheel


def offer(platform: Platform, content: bytes) -> str:
    """Have the platform offer a Bento whose runtime is this one wheel; return the Bento."""
    digest = hashlib.sha256(content).hexdigest()
    platform.blobs[digest] = content
    named = {"python_version": platform.python_version, "lock": f"sly==1.0 --hash=sha256:{digest}"}
    wheels = [{"name": NAME, "sha256": digest, "size": len(content)}]
    platform.manifest, platform.runtime = {**named, "wheels": wheels}, canonical.digest(named)
    return platform.build("one", lock=named["lock"])


def prefetch(platform: Platform, node: NodeUnderTest, bento: str) -> Path:
    """Have the node prefetch a Bento; return the folder of its runtime."""
    platform.prefetch = [{"bento_digest": bento, "runtime_digest": platform.runtime}]
    platform.publish()
    platform.wait(lambda: platform.reports and bento in platform.reports[-1]["prefetched"])
    return installed(platform, node) / "home"


def installed(platform: Platform, node: NodeUnderTest) -> Path:
    """Return where the runtime that is offered lies on the node once it is installed."""
    return node.home.folder / "runtimes" / platform.runtime.removeprefix("sha256:")


def test_nothing_of_a_runtime_runs_as_it_is_installed(
    platform: Platform, node: NodeUnderTest
) -> None:
    home = prefetch(platform, node, offer(platform, wheel({}, INSIDE)))

    assert list(home.glob("ran-*")) == []
    assert list(home.rglob("site-packages/__pycache__/sly.*.pyc"))


def refused(platform: Platform, node: NodeUnderTest, files: Mapping[str, str], why: str) -> None:
    """Have a node be asked for a wheel of ``files``; it says why not, and nothing of it ran."""
    given = {f"sly-1.0.data/{name}": text for name, text in files.items()}
    bento = offer(platform, wheel({**fake(INSIDE), **given}, INSIDE))
    platform.serve(platform.revision(1, bento, weight=10_000))

    platform.wait(lambda: why in platform.seen("rev_1")["detail"])

    assert not installed(platform, node).exists()
    assert list((node.home.folder / "runtimes").rglob("ran-*")) == []


@pytest.mark.parametrize("files", PYTHONS.values(), ids=PYTHONS.keys())
def test_a_wheel_that_brings_a_python_of_its_own_is_refused(
    platform: Platform, node: NodeUnderTest, files: str
) -> None:
    refused(platform, node, {files: config(INSIDE)}, "brings a Python of its own: sly-1.0.data/")


@pytest.mark.parametrize(
    "name", ["data/pyvenv.cfg", "scripts/pyvenv.cfg", "data/bin/pybuilddir.txt"]
)
def test_what_stands_in_the_place_of_the_runtimes_python_is_seen_when_all_is_installed(
    platform: Platform, node: NodeUnderTest, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    """Also where no wheel says so by a name that one would know."""
    monkeypatch.setattr(wheels, "__file__", os.devnull)

    refused(platform, node, {name: config(INSIDE)}, "in the place of the runtime's Python")


def test_even_then_nothing_of_it_would_have_run(
    platform: Platform, node: NodeUnderTest, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What compiles is the host's Python, whatever the runtime's would start with."""
    monkeypatch.setattr(wheels, "__file__", os.devnull)
    monkeypatch.setattr(wheels, "shape", lambda home: {})

    given = {"sly-1.0.data/data/pyvenv.cfg": config(INSIDE)}
    home = prefetch(platform, node, offer(platform, wheel({**fake(INSIDE), **given}, INSIDE)))

    assert (home / "pyvenv.cfg").read_text() == config(INSIDE)
    assert list(home.glob("ran-*")) == []
    assert list(home.rglob("site-packages/__pycache__/sly.*.pyc"))


@pytest.mark.skipif(limits.limiter().kind == "prlimit", reason="there are no control groups here")
def test_a_wheel_that_unpacks_into_very_much_is_bounded(
    platform: Platform, node: NodeUnderTest, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(runtimes, "MEMORY_MB", 64)
    bento = offer(platform, wheel({"sly.bin": "\0" * (128 << 20)}, INSIDE))
    platform.serve(platform.revision(1, bento, weight=10_000))

    platform.wait(lambda: "installing the runtime failed" in platform.seen("rev_1")["detail"])

    for root in limits.limiter().roots:
        assert not list(root.parent.rglob(f"*install-{os.getpid()}.making-*"))


@pytest.mark.skipif(limits.limiter().kind == "prlimit", reason="there are no control groups here")
def test_groups_of_an_installation_that_was_killed_are_removed_and_no_others(
    joined: NodeUnderTest,
) -> None:
    gone, found = subprocess.Popen(["/bin/true"]), limits.limiter()
    gone.wait()
    kept = [f"install-{os.getpid()}.making-abc", "rev_1-install-x"]
    dead = [f"install-{gone.pid}.making-abc", f"probe-{gone.pid}"]
    try:
        for name in (*kept, *dead):
            found.make(name, 64)
        (joined.home.folder / "replicas/.rev_1-00000001.json.new").touch()

        joined.start()
        joined.platform.wait(lambda: joined.platform.reports)

        made = [(n, found._group(r, n).exists()) for n in (*kept, *dead) for r in found.roots]
        assert {name for name, there in made if there} == set(kept)
        assert list((joined.home.folder / "replicas").iterdir()) == []
    finally:
        for name in (*kept, *dead):
            found.remove(name)


def test_what_honest_wheels_put_beside_their_packages_is_left_alone() -> None:
    honest = [
        "a-1.data/scripts/python-argcomplete",
        "a-1.data/data/share/pyvenv.cfg",
        "a-1.data/data/etc/jupyter/x.json",
        "a-1.data/scripts/pythonish",
        "a/python3",
        "a-1.data/data/lib/python3.13/site-packages/x.py",
        "a/pyvenv.cfg",
        "lib/python3/x",
        "a-1.data/headers/python3/x.h",
        "a-1.data/purelib/bin/python",
    ]
    assert wheels.brought(honest) == []
