"""What lies ready in ``examples`` is what its script makes."""

import subprocess
import sys
from pathlib import Path

from tests.support.blocks import ROOT

READY = ROOT / "examples" / "breast-cancer"


def test_the_ready_example_is_made_by_its_script_byte_for_byte(tmp_path: Path) -> None:
    """After a new scikit-learn or skl2onnx in the lock, make it anew: examples/README.md."""
    script = ROOT / "examples" / "breast_cancer.py"
    subprocess.run([sys.executable, str(script), "small", str(tmp_path)], check=True)
    made, ready = ({p.name: p.read_bytes() for p in d.iterdir()} for d in (tmp_path, READY))
    assert set(made) == set(ready) == {"model.onnx", "version.json"}
    assert made["version.json"].decode() == ready["version.json"].decode()
    assert made["model.onnx"] == ready["model.onnx"]
    assert sum(map(len, ready.values())) < 100_000
