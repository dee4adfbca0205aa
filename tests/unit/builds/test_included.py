"""What the build file of a BentoML project leaves out, by BentoML's rules."""

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest

from workers.builder import bentoml_project
from workers.builder.errors import BuildFailed
from workers.builder.included import included
from workers.builder.sandbox import Sandbox, never

FILES = (
    "service.py data/words.txt data/big.parquet data/raw/a.csv tests/test_a.py notes.md "
    ".git/config venv/lib.py deep/venv/lib.py a/.DS_Store __pycache__/service.pyc"
)


def project(folder: Path, told: dict[str, list[str]], ignore: dict[str, str]) -> Path:
    """Write a project with this build file and these files named .bentoignore, by folder."""
    for name in FILES.split():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text("")
    for at, text in ignore.items():
        (folder / at / ".bentoignore").write_text(text)
    build_file = {"include": ["*"], "exclude": [], **told}
    (folder / "bentofile.yaml").write_text(json.dumps(build_file))
    return folder


ALL = "service.py data/words.txt data/big.parquet data/raw/a.csv tests/test_a.py notes.md"


# What BentoML 1.4.40 puts into ``src`` of the Bento of such a project
@pytest.mark.parametrize(
    ("told", "ignore", "names"),
    [
        ({}, {}, ALL),
        ({"include": ["*.py", "data/*.txt"]}, {}, "service.py data/words.txt tests/test_a.py"),
        ({"include": ["*.py"], "exclude": ["tests/"]}, {}, "service.py"),
        ({"exclude": ["*.parquet", "data/raw", "/notes.md", "*.py"]}, {}, "data/words.txt"),
        ({"include": ["*.py"]}, {".": "tests\n# service.py\n"}, "service.py"),
        ({"include": ["data"]}, {"data": "*\n!words.txt\n", "tests": "*"}, "data/words.txt"),
        ({"include": ["*"]}, {".": "*\n!service.py\n"}, "service.py"),
    ],
)
def test_a_file_goes_in_as_bentoml_would_have_it(
    tmp_path: Path, told: Any, ignore: dict[str, str], names: str
) -> None:
    found = set(included(project(tmp_path, told, ignore)))
    assert shown(found) == sorted(names.split())


def shown(found: Iterable[str]) -> list[str]:
    return sorted(n for n in found if not n.endswith((".bentoignore", "bentofile.yaml")))


def test_what_placet_wrote_goes_in_whatever_its_build_file_says(tmp_path: Path) -> None:
    folder = project(tmp_path, {"exclude": ["*"]}, {".": "*"})
    folder.chmod(0o755)  # pytest closes its own to everybody else
    names = bentoml_project.included(folder, Sandbox("bwrap"), never)
    assert names == {
        *("placet_entry.py", "placet_http.py", "placet_inputs.py"),
        *("placet.json", "bentofile.yaml"),
    }


def test_patterns_that_cannot_be_read_end_the_build(tmp_path: Path) -> None:
    folder = project(tmp_path, {"include": ["!"]}, {})
    folder.chmod(0o755)
    with pytest.raises(BuildFailed, match="leave out cannot be told"):
        bentoml_project.included(folder, Sandbox("bwrap"), never)
