"""Puts drawn files on a disk in memory, has them scanned and loaded, and holds the two together."""

import json
import os
import shutil
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.properties.scanning.drawn import Drawn
from tests.properties.scanning.ways import FOLLOWING
from workers.builder.sandbox import Limits, Sandbox
from workers.builder.scanning.__main__ import second_opinion
from workers.builder.scanning.files import Scanner
from workers.builder.untrusted_files import MAX_TOLD, ROOT, read_plain

HERE = Path(__file__).parent
# A folder of ``pip install --target`` with torch or keras, for those who hold their rules against
# them (proofs/README.md).
LIBRARIES = [Path(folder) for folder in filter(None, [os.environ.get("PLACET_LIBRARIES")])]
MEMORY = Path("/dev/shm")
ENDED = "!"


@dataclass(frozen=True, slots=True)
class Judged:
    """What the scanner says of a sample, and what ran when it was loaded."""

    drawn: Drawn
    verdict: str
    told: tuple[str, ...]
    ran: str  # '' for nothing, '!' when it ended its loader's process

    @property
    def runs(self) -> bool:
        """Tell whether code of it ran."""
        return self.ran not in ("", ENDED)

    @property
    def harms(self) -> bool:
        """Tell whether code of it ran, or it ended one that follows what it reads."""
        return self.runs or (self.ran == ENDED and not FOLLOWING.isdisjoint(self.drawn.ways))


@contextmanager
def on_disk(samples: Sequence[Drawn]) -> Iterator[Path]:
    """Write samples into numbered folders, and what is asked about them."""
    folder = Path(tempfile.mkdtemp(dir=MEMORY if MEMORY.is_dir() else None, prefix="placet-"))
    try:
        for number, sample in enumerate(samples):
            for name, data in sample.files.items():
                path = folder / str(number) / name
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_bytes(data)
        asked = [(str(number), list(sample.ways)) for number, sample in enumerate(samples)]
        (folder / "asked.json").write_text(json.dumps(asked))
        folder.chmod(0o755)
        yield folder
    finally:
        shutil.rmtree(folder)


def scanned(folder: Path, *, whole: bool = False) -> tuple[str, tuple[str, ...]]:
    """Return the scanner's verdict on a folder, and what it tells; ``whole``: with picklescan's."""
    scanner = Scanner(folder)
    scanner.scan_files()
    if whole:
        second_opinion(folder, scanner)
    told = tuple(f"{path}: {verdict}: {what}" for path, verdict, what in scanner.report.findings)
    return scanner.report.verdict(), told


def loaded(folder: Path, sandbox: Sandbox, seconds: float = 3000) -> tuple[dict[str, str], float]:
    """Have all samples loaded in the build sandbox; return what ran, and seconds of processor."""
    with tempfile.TemporaryDirectory(prefix="placet-loaded-") as place:
        answer = Path(place, "answer.json")
        result = sandbox.run(
            [sys.executable, "-m", "tests.properties.scanning.loading", str(folder), str(answer)],
            binds_ro=[Path(sys.prefix), HERE, folder, *LIBRARIES],
            binds_rw=[Path(place)],
            env={
                "PYTHONPATH": ":".join(map(str, (ROOT, HERE / "planted", *LIBRARIES))),
                "PYTHONDONTWRITEBYTECODE": "1",
                "KERAS_BACKEND": "numpy",
                "MLFLOW_DISABLE_TELEMETRY": "true",
                "DO_NOT_TRACK": "true",
                "OMP_NUM_THREADS": "1",
                "MLFLOW_ALLOW_PICKLE_DESERIALIZATION": "true",
            },
            limits=Limits(memory_mb=6144, seconds=seconds),
        )
        assert result.ok, "\n".join(result.tail)
        told: dict[str, Any] = json.loads(read_plain(answer, MAX_TOLD))
        return told["ran"], told["seconds"]


def judge(samples: Sequence[Drawn], sandbox: Sandbox) -> tuple[list[Judged], float]:
    """Scan and load samples; return what came of each, and seconds of processor of the loading."""
    with on_disk(samples) as folder:
        ran, seconds = loaded(folder, sandbox)
        found = [
            Judged(sample, *scanned(folder / str(number)), ran[str(number)])
            for number, sample in enumerate(samples)
        ]
    return found, seconds
