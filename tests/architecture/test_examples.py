"""What lies ready, in ``examples`` and as sample data, is what its script makes, byte for byte.

After a new scikit-learn or skl2onnx in the lock, make it anew: examples/README.md.
"""

import runpy
from pathlib import Path
from typing import Any

from tests.support.blocks import ROOT

EXAMPLE, SAMPLES = ROOT / "examples" / "breast-cancer", ROOT / "apps" / "builds" / "samples"


def script(name: str) -> dict[str, Any]:
    """Return what a script of the examples defines, without running it."""
    return runpy.run_path(str(ROOT / "examples" / name))


def files(folder: Path, pattern: str) -> dict[str, bytes]:
    """Return the bytes of every file by its path."""
    found = (path for path in folder.glob(pattern) if path.is_file())
    return {str(path.relative_to(folder)): path.read_bytes() for path in found}


def test_the_ready_example_is_made_by_its_script(tmp_path: Path) -> None:
    script("breast_cancer.py")["main"]("small", tmp_path)
    made, ready = files(tmp_path, "*"), files(EXAMPLE, "*")
    assert set(made) == set(ready) == {"model.onnx", "version.json"}
    assert made["version.json"].decode() == ready["version.json"].decode()
    assert made["model.onnx"] == ready["model.onnx"]
    assert sum(map(len, ready.values())) < 100_000


def test_the_sample_data_is_made_by_its_script(tmp_path: Path) -> None:
    script("samples.py")["main"](tmp_path)
    made, ready = files(tmp_path, "*/**/*.*"), files(SAMPLES, "*/**/*.*")
    ready = {name: data for name, data in ready.items() if "__pycache__" not in name}
    assert set(made) == set(ready)
    assert [name for name in made if made[name] != ready[name]] == []
    assert sum(map(len, ready.values())) < 400_000
