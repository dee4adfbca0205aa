"""The ``accelerate`` option: a tree ensemble or linear model as ONNX, if its answers are equal.

In one sandbox the original answers the rows and is converted; in another, which never sees the
original's code run, the ONNX form answers them; the worker compares. Whatever goes wrong, the build
goes on with the original, and the evidence says why.
"""

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from apps.registry.formats import FORMATS, onnx
from placet_agent.downloads.leftovers import remove
from placet_verify import canonical
from workers.builder import generate
from workers.builder.bento import Workplace, environment
from workers.builder.comparison import ACCELERATED, OutputComparison, compare, every
from workers.builder.errors import BuildCancelled, BuildFailed
from workers.builder.runtimes import RuntimeCache
from workers.builder.sandbox import Limits
from workers.builder.scanner import loaded_by, scan
from workers.builder.spec import Acceleration, BuildSpec
from workers.builder.untrusted_files import MAX_WEIGHT, read_json, read_plain

PROGRAMS = Path(__file__).parent / "templates" / "converting"
ROWS_FILE = "evaluation.jsonl"  # rows that the author attached, one object a line
MAX_ROWS, MAX_FILE = 10_000, 64 * 1024**2
MAX_GRAPH = 2 * 1024**3
SECONDS = 600.0


class KeepOriginal(Exception):
    """The ONNX form is not used; the text says why."""


@dataclass(slots=True)
class Bench:
    """What one try works with."""

    spec: BuildSpec
    workplace: Workplace
    runtimes: RuntimeCache
    runtime: str
    log: Callable[[str], None]
    cancelled: Callable[[], bool]
    folder: Path = field(init=False)

    def __post_init__(self) -> None:
        self.folder = self.workplace.root / "acceleration"
        remove(self.folder)
        self.folder.mkdir()

    @property
    def converter(self) -> str:
        """Return the name of the program that converts models of this format."""
        kind = FORMATS[self.spec.format]
        if kind.onnx is None:
            raise KeepOriginal(f"A model in the format {kind.name} cannot be converted")
        return kind.onnx.by

    def run(self, program: str, project: Path, *words: Path | str) -> None:
        """Run one of the programs beside ``project``; raise :class:`KeepOriginal` if it fails."""
        result = self.runtimes.sandbox.run(
            [
                str(self.runtimes.python(self.runtime)),
                str(PROGRAMS / program),
                str(project),
                str(self.folder / "rows.json"),
                *map(str, words),
            ],
            binds_ro=[self.runtimes.folder(self.runtime), PROGRAMS, project],
            binds_rw=[self.folder],
            env=environment(self.workplace),
            limits=Limits(memory_mb=self.spec.memory_mb, seconds=SECONDS, disk_mb=4096),
            cancelled=self.cancelled,
            on_line=self.log,
            cwd=self.folder,
            workplace=self.workplace.root,
        )
        if result.reason == "cancelled":
            raise BuildCancelled
        if not result.ok:
            raise KeepOriginal(result.sentence(f"The program {program}")[:500])

    def answers(self, name: str) -> list[Any]:
        """Return the answers that a program left, which are not trusted."""
        answers = self._json_left(name, MAX_FILE * 4)
        if not isinstance(answers, list):
            raise KeepOriginal("The answers are not a list")
        return answers

    def told(self) -> dict[str, Any]:
        """Return what the conversion says of itself, when it is of the right form."""
        match self._json_left("told.json", MAX_FILE):
            case {"columns": list(columns), "whole": bool(whole), "converters": dict(converters)}:
                known = {"columns": [str(c) for c in columns], "whole": whole}
                return {**known, "converters": {str(k): str(v) for k, v in converters.items()}}
        raise KeepOriginal("The conversion left no account of itself")

    def graph(self) -> bytes:
        """Return the ONNX file, after the scan found that it is data alone."""
        raw = self._left("model.onnx", MAX_GRAPH)
        scan_folder = self.workplace.root / "scanned"  # where the conversion does not write
        scan_folder.mkdir()
        (scan_folder / generate.ACCELERATED).write_bytes(raw)
        sandbox, runtime = self.runtimes.sandbox, self.runtimes.folder(self.runtime)
        found = scan(scan_folder, sandbox, cancelled=self.cancelled)
        told = loaded_by(found, onnx.FORMAT.name, runtime, sandbox, cancelled=self.cancelled)
        if told.verdict != "safe":
            why = "; ".join(finding.what for finding in told.findings[:1])
            raise KeepOriginal(f"The scan of the converted model says {told.verdict}: {why}")
        return raw

    def _json_left(self, name: str, limit: int) -> Any:
        try:
            return read_json(self.folder / name, limit)
        except (OSError, ValueError):
            raise KeepOriginal(f"The conversion left no usable {name}") from None

    def _left(self, name: str, limit: int) -> bytes:
        try:
            return read_plain(self.folder / name, limit)
        except OSError:
            raise KeepOriginal(f"The conversion left no usable {name}") from None


def accelerate(bench: Bench) -> Acceleration:
    """Convert, compare, and put the ONNX form into the project when every row agrees."""
    compared, conversion = OutputComparison(ACCELERATED), {}
    try:
        rows = rows_of(bench.spec, bench.workplace.artifact)
        (bench.folder / "rows.json").write_text(json.dumps(rows), encoding="utf-8")
        bench.run("convert.py", bench.workplace.project, bench.folder, bench.converter)
        conversion, raw = bench.told(), bench.graph()
        trial = _trial(bench, raw, conversion)
        bench.run("answer.py", trial, bench.folder / "faster.json")
        compared = compare(bench.answers("faster.json"), bench.answers("answers.json"), ACCELERATED)
        if compared.equal != len(rows) or not rows:
            raise KeepOriginal(f"The converted model answers otherwise: {compared.first}")
        generate.replace(bench.workplace.project, trial)
    except KeepOriginal as reason:
        return kept(str(reason), compared, conversion)
    detail = f"{every(compared.rows)} answered as by the original"
    return _result("accelerated", detail, compared, conversion)


def _trial(bench: Bench, graph: bytes, conversion: dict[str, Any]) -> Path:
    """Write the project that answers with the ONNX form, if a node would read what is said of it:
    the conversion ran the model's own code, which may say much."""
    trial = bench.workplace.root / "trial"
    try:
        generate.accelerated(bench.workplace.project, trial, graph, conversion)
    except BuildFailed as error:
        raise KeepOriginal(str(error)) from None
    return trial


def kept(
    detail: str, compared: OutputComparison | None = None, conversion: Any = None
) -> Acceleration:
    """Return that the original is used, and why."""
    return _result(
        "original", detail[:1000], compared or OutputComparison(ACCELERATED), conversion or {}
    )


def _result(
    verdict: Any, detail: str, compared: OutputComparison, conversion: dict[str, Any]
) -> Acceleration:
    return Acceleration(
        verdict=verdict,
        rows=compared.rows,
        equal=compared.equal,
        max_absolute=compared.max_absolute,
        max_relative=compared.max_relative,
        absolute=compared.tolerance.absolute,
        relative=compared.tolerance.relative,
        converters=conversion.get("converters", {}),
        detail=detail,
    )


def rows_of(spec: BuildSpec, artifact: Path) -> list[dict[str, Any]]:
    """Return the rows to compare on: the example, the attached ones, and what may be left out.

    A copy of the first row without each optional input makes sure that missing values are
    answered alike.
    """
    rows = [*(spec.example or []), *_attached(artifact / ROWS_FILE)]
    if not rows:
        raise KeepOriginal(f"There is nothing to compare on: no example and no {ROWS_FILE}")
    inputs = spec.signature["inputs"] if spec.signature else []
    optional = [column["name"] for column in inputs if not column.get("required", True)]
    gaps = [{k: v for k, v in rows[0].items() if k != name} for name in optional]
    return [*rows, *gaps][:MAX_ROWS]


def _attached(path: Path) -> list[dict[str, Any]]:
    if not path.is_file():
        return []
    if path.stat().st_size > MAX_FILE:
        raise KeepOriginal(f"{ROWS_FILE} is larger than {MAX_FILE >> 20} MB")
    raw, rows = path.read_bytes(), []
    if canonical.weight(raw) > MAX_WEIGHT:
        raise KeepOriginal(f"{ROWS_FILE} has more in it than is read")
    for number, line in enumerate(raw.split(b"\n", MAX_ROWS)[:MAX_ROWS], 1):
        row = _json(line) if line.strip() else None
        if not isinstance(row, dict):
            raise KeepOriginal(f"{ROWS_FILE}: line {number} is no row: {{input: value}}")
        rows.append(row)
    return rows


def _json(raw: bytes) -> Any:
    try:
        return json.loads(raw)
    except (ValueError, RecursionError):
        return None
