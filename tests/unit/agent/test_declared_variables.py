"""Which variables a Bento says that its version reads."""

import json
from pathlib import Path
from typing import Any, cast

import pytest

from placet_agent.downloads.bentos import BentoFolder, BentoRefused

DIGEST = "sha256:" + "ab" * 32


def declared(folder: Path, facts: Any) -> list[str]:
    bentos = BentoFolder(folder, cast(Any, None))
    path = bentos.path(DIGEST) / "src/placet.json"
    path.parent.mkdir(parents=True)
    path.write_text(json.dumps(facts))
    return bentos.declared(DIGEST)


@pytest.mark.parametrize(
    ("facts", "names"),
    [({}, []), ([], []), ({"variables": []}, []), ({"variables": ["MODE"]}, ["MODE"])],
)
def test_names_that_a_version_can_declare_are_read(
    tmp_path: Path, facts: Any, names: list[str]
) -> None:
    assert declared(tmp_path, facts) == names


def test_what_is_nested_too_deeply_declares_nothing_and_ends_nobody(tmp_path: Path) -> None:
    """It is read at every start, and a service's own source may have written it."""
    declared(tmp_path, {})
    bentos = BentoFolder(tmp_path, cast(Any, None))
    (bentos.path(DIGEST) / "src/placet.json").write_text("[" * 1_000_000)
    assert bentos.declared(DIGEST) == []
    assert not bentos.wipes_memory(DIGEST)


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
