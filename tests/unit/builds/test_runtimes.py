"""A build worker installs strangers' wheels: nothing of them runs before a build asks for it."""

import hashlib
from pathlib import Path
from typing import Any

import pytest

from placet_agent.downloads import wheels
from tests.support.wheels import NAME, PYTHONS, config, fake, wheel
from workers.builder.errors import BuildFailed
from workers.builder.package_index import uv_program
from workers.builder.runtimes import RuntimeCache
from workers.builder.sandbox import Sandbox


def install(folder: Path, content: bytes) -> Path:
    """Install a wheel as a worker does; return the runtime's folder."""
    making: Path = folder / "making"
    (making / "wheels").mkdir(parents=True)
    (making / "wheels" / NAME).write_bytes(content)
    digest = hashlib.sha256(content).hexdigest()
    (making / "lock.txt").write_text(f"sly==1.0 --hash=sha256:{digest}\n")
    store: Any = None  # nothing of it is asked for
    runtimes = RuntimeCache(folder, store, Sandbox("bwrap"))
    runtimes._install(making, folder / "final", "", lambda line: None, lambda: False)
    return making / "home"


def test_nothing_of_a_runtime_runs_as_it_is_installed(tmp_path: Path) -> None:
    home = str(tmp_path / "making/home")

    made = install(tmp_path, wheel({}, home))

    assert list(made.glob("ran-*")) == []
    assert list(made.rglob("site-packages/__pycache__/sly.*.pyc"))
    assert not (made / ".uv-cache").exists() and uv_program().exists()


@pytest.mark.parametrize("name", PYTHONS.values(), ids=PYTHONS.keys())
def test_a_wheel_that_brings_a_python_of_its_own_ends_the_build(tmp_path: Path, name: str) -> None:
    home = str(tmp_path / "making/home")
    given = {f"sly-1.0.data/{name}": config(home)}

    with pytest.raises(BuildFailed, match=r"brings a Python of its own: sly-1.0.data/"):
        install(tmp_path, wheel({**fake(home), **given}, home))

    assert list(tmp_path.rglob("ran-*")) == []


def test_what_stands_in_the_place_of_the_runtimes_python_ends_the_build_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    home = str(tmp_path / "making/home")
    monkeypatch.setattr(wheels, "__file__", "/dev/null")
    given = {"sly-1.0.data/data/pyvenv.cfg": config(home)}

    with pytest.raises(BuildFailed, match="in the place of the runtime's Python"):
        install(tmp_path, wheel({**fake(home), **given}, home))

    assert list(tmp_path.rglob("ran-*")) == []


def test_even_then_nothing_of_it_would_have_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    home = str(tmp_path / "making/home")
    monkeypatch.setattr(wheels, "__file__", "/dev/null")
    monkeypatch.setattr(wheels, "shape", lambda home: {})
    given = {"sly-1.0.data/data/pyvenv.cfg": config(home)}

    made = install(tmp_path, wheel({**fake(home), **given}, home))

    assert list(made.glob("ran-*")) == []
    assert list(made.rglob("site-packages/__pycache__/sly.*.pyc"))
