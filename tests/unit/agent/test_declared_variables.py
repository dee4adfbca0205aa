"""What a Bento says of its service: which variables it reads, and whether memory is wiped."""

import json
import tracemalloc
from pathlib import Path
from typing import Any, cast

import pytest

from placet_agent.downloads.bentos import BentoFolder, BentoRefused, Facts

DIGEST = "sha256:" + "ab" * 32


def declared(folder: Path, facts: Any) -> list[str]:
    bentos = BentoFolder(folder, cast(Any, None))
    path = bentos.path(DIGEST) / "src/placet.json"
    path.parent.mkdir(parents=True)
    path.write_text(json.dumps(facts))
    return bentos.facts(DIGEST).declared()


@pytest.mark.parametrize(
    ("facts", "names"),
    [({}, []), ({"variables": []}, []), ({"variables": ["MODE"]}, ["MODE"])],
)
def test_names_that_a_version_can_declare_are_read(
    tmp_path: Path, facts: Any, names: list[str]
) -> None:
    assert declared(tmp_path, facts) == names


@pytest.mark.parametrize(
    "facts",
    [
        b'{"wipe_memory": true, "x": [' + b"{}," * 1_000_000 + b"0]}",
        b'{"wipe_memory": true}'.ljust((8 << 20) + 1),
        b"[" * 100_000,
        b"[" * 1_000_000,
    ],
)
def test_what_would_fill_the_agent_is_refused_before_it_is_read(
    tmp_path: Path, facts: bytes
) -> None:
    """It is read at every start, and a service's own source may have written it."""
    declared(tmp_path, {})
    bentos = BentoFolder(tmp_path, cast(Any, None))
    (bentos.path(DIGEST) / "src/placet.json").write_bytes(facts)
    tracemalloc.start()
    with pytest.raises(BentoRefused, match=r"more than 8 MiB|nothing that a build"):
        bentos.facts(DIGEST)
    most = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert most < 64 << 20


def test_without_facts_nothing_is_declared(tmp_path: Path) -> None:
    """Such a Bento is none that a build of Placet made."""
    declared(tmp_path, {})
    bentos = BentoFolder(tmp_path, cast(Any, None))
    path = bentos.path(DIGEST) / "src/placet.json"
    for text in ("no JSON", "[]"):
        path.write_text(text)
        with pytest.raises(BentoRefused, match="nothing that a build"):
            bentos.facts(DIGEST)
    path.unlink()
    assert bentos.facts(DIGEST) == Facts()


def test_a_lock_is_read_within_a_bound(tmp_path: Path) -> None:
    bentos = BentoFolder(tmp_path, cast(Any, None))
    path = bentos.path(DIGEST) / "env/python/requirements.txt"
    path.parent.mkdir(parents=True)
    path.write_text("a==1\n")
    assert bentos.lock(DIGEST) == "a==1\n"
    with path.open("wb") as stream:
        stream.truncate((16 << 20) + 1)
    with pytest.raises(BentoRefused, match="more than 16 MiB"):
        bentos.lock(DIGEST)


@pytest.mark.parametrize(
    ("names", "said"),
    [
        ("MODE", "must be a list"),
        ([7], "variable 1 a name has"),
        (None, "must be a list"),
        (["MODE", "PATH"], "variable 2 may never be set"),
        (["M", "M"], "variable 2 M is named"),
    ],
)
def test_anything_else_is_refused_as_the_platform_refuses_it(
    tmp_path: Path, names: Any, said: str
) -> None:
    with pytest.raises(BentoRefused, match=said):
        declared(tmp_path, {"variables": names})
