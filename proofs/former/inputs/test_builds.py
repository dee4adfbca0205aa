"""A build that fails says why; what cannot predict is not built; a zip of zips is a zip."""

from pathlib import Path
from typing import Any
from zipfile import ZIP_DEFLATED, ZipFile

import pytest

import workers.builder
from workers.builder import bento, scanner
from workers.builder.errors import BuildFailed
from workers.builder.sandbox import Sandbox, ignore, never
from workers.builder.spec import BuildSpec

SPEC = BuildSpec(
    build="bld_1",
    project="prj_1",
    version="ver_1",
    model="churn",
    number=3,
    format="sklearn",
    artifact_digest="sha256:" + "0" * 64,
    files=(),
    signature={"inputs": [{"name": "age", "type": "long"}]},
)
# As ``bentoml build`` ends, down to its hint
PROGRAM = """#!/bin/sh
echo 'Failed to import module "placet_entry": No module named nothing_there'
echo 'If by path, use the option --working-dir'
exit 1
"""


class Runtimes:
    """Has one runtime, whose Python is a program of ours."""

    def __init__(self, folder: Path) -> None:
        self.sandbox, self._folder = Sandbox.detect(), folder

    def folder(self, digest: str) -> Path:
        """Return where it is installed."""
        return self._folder

    def python(self, digest: str) -> Path:
        """Return its Python."""
        return self._folder / "python"


def test_the_error_of_a_build_is_its_cause(tmp_path: Path) -> None:
    (runtime := tmp_path / "runtime").mkdir()
    (runtime / "python").write_text(PROGRAM)
    (runtime / "python").chmod(0o755)
    place = bento.Workplace(tmp_path / "place")
    place.make()
    runtimes: Any = Runtimes(runtime)
    with pytest.raises(BuildFailed) as failed:
        bento.build(SPEC, place, runtimes, "sha256:0", "", log=ignore, cancelled=never)
    assert "No module named nothing_there" in str(failed.value)


def test_what_cannot_predict_is_refused_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    templates = Path(workers.builder.__file__).parent / "templates"
    monkeypatch.syspath_prepend(str(templates))
    from placet_estimator import Fitted

    info = {"signature": {"inputs": [{"name": "age", "type": "long"}]}, "model_path": "model.pkl"}
    with pytest.raises(TypeError):
        Fitted(info, 7)


def test_a_zip_of_zips_is_not_broken(tmp_path: Path) -> None:
    """The inner one, which stores 520 MB, was copied out into memory that has less room."""
    (tmp_path / "model").mkdir()
    line = b"hello".ljust(63, b".") + b"\n"
    with (
        ZipFile(tmp_path / "model/both.zip", "w", ZIP_DEFLATED, compresslevel=1) as outer,
        outer.open("one.zip", "w", force_zip64=True) as member,
        ZipFile(member, "w") as inner,
        inner.open("notes.txt", "w", force_zip64=True) as text,
    ):
        for _ in range(520):
            text.write(line * (1 << 14))
    found = scanner.scan(tmp_path / "model", Sandbox.detect())
    assert (found.verdict, [finding.what for finding in found.findings]) == ("safe", [])
