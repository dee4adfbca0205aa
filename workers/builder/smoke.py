"""The smoke test: does the built service start, refuse a bad row, and answer as expected?"""

import json
import math
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

from workers.builder.bento import Workplace, environment
from workers.builder.errors import BuildCancelled
from workers.builder.runtimes import Runtimes
from workers.builder.sandbox import Limits
from workers.builder.spec import BuildSpec, Smoke

PROBE = Path(__file__).parent / "probe.py"
READY_SECONDS = 120.0
MAX_ROWS = 100
TOLERANCE = 1e-6
MAX_ANSWERS_FILE = 256 * 1024 * 1024
UNKNOWN_FIELD = "placet: no such field"


def questions(spec: BuildSpec) -> list[Any]:
    """Return the bodies that are sent: a bad row, then all example rows, then one bare."""
    rows = (spec.example or [])[:MAX_ROWS]
    bad = {**(rows[0] if rows else {}), UNKNOWN_FIELD: "x"}
    return [{"instances": [bad]}, *([{"instances": rows}, rows[0]] if rows else [])]


def run(
    spec: BuildSpec, bento: Path, place: Workplace, runtimes: Runtimes, runtime: str,
    *, log: Callable[[str], None], cancelled: Callable[[], bool],
    ready_seconds: float = READY_SECONDS,
) -> Smoke:  # fmt: skip
    """Serve the Bento in the sandbox and judge its answers."""
    folder = place.root / "smoke"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    asked, answered = folder / "questions.json", folder / "answers.json"
    asked.write_text(json.dumps(questions(spec)), encoding="utf-8")
    result = runtimes.sandbox.run(
        [str(runtimes.python(runtime)), str(PROBE), str(asked), str(answered), str(bento),
         str(ready_seconds)],
        binds_ro=[runtimes.folder(runtime), bento, PROBE],
        binds_rw=[folder],
        env={**environment(place), "BENTOML_HOME": str(folder)},
        limits=Limits(memory_mb=spec.memory_mb, seconds=ready_seconds + 120, disk_mb=1024),
        cancelled=cancelled,
        on_line=log,
        cwd=folder,
    )  # fmt: skip
    if result.reason == "cancelled":
        raise BuildCancelled
    found = _read(answered)
    if found is None or not found.get("ready"):
        why = "The service never became ready"
        detail = why if result.ok else f"{why}: {result.sentence('serving it')}"
        return Smoke("failed", 0, 0, runtimes.sandbox.isolation, result.seconds, detail)
    log(f"Ready after {float(found['seconds']):.1f} s")
    return judge(spec, found["answers"], runtimes.sandbox.isolation, round(result.seconds, 3))


def _read(path: Path) -> dict[str, Any] | None:
    """Read what the sandbox left, which is not trusted."""
    try:
        if path.is_symlink() or path.stat().st_size > MAX_ANSWERS_FILE:
            return None
        found = json.loads(path.read_text("utf-8"))
    except (OSError, ValueError, RecursionError):
        return None
    return found if isinstance(found, dict) else None


def judge(spec: BuildSpec, answers: list[Any], isolation: str, seconds: float) -> Smoke:
    """Compare the answers with what the version says it answers."""
    rows = len((spec.example or [])[:MAX_ROWS])

    def verdict(result: Any, equal: int, detail: str) -> Smoke:
        return Smoke(result, rows, equal, isolation, seconds, detail)

    if len(answers) != len(questions(spec)):
        return verdict("failed", 0, "The service did not answer every question")
    status, _ = answers[0]
    if status != 400:
        return verdict(
            "failed", 0, f"A row with an unknown field was answered with {status}, not 400"
        )
    if not rows:
        return verdict("starts", 0, "It starts; the version has no example to ask")
    given = _member(answers[1], "predictions")
    single = _member(answers[2], "prediction")
    if not isinstance(given, list) or len(given) != rows or single is None:
        return verdict("failed", 0, f"The example was not predicted: {_short(answers[1])}")
    if not spec.expected:
        return verdict("starts", 0, "It starts and predicts; the version has no expected output")
    expected = spec.expected[:rows]
    if len(expected) != rows:
        return verdict("different", 0, "The version has fewer expected outputs than example rows")
    equal = sum(same(a, b) for a, b in zip(given, expected, strict=True))
    if equal == rows and same(single, expected[0]):
        return verdict("equal", equal, f"All {rows} rows are predicted as expected")
    return verdict("different", equal, _difference(given, expected, single))


def same(given: Any, expected: Any) -> bool:
    """Tell whether two outputs are equal; floats within a relative 1e-6."""
    if isinstance(given, bool) or isinstance(expected, bool):
        return given is expected or (_number(given) and _number(expected) and given == expected)
    if _number(given) and _number(expected):
        return math.isclose(given, expected, rel_tol=TOLERANCE, abs_tol=1e-9)
    if isinstance(given, dict) and isinstance(expected, dict):
        return set(given) == set(expected) and all(same(given[k], expected[k]) for k in given)
    if isinstance(given, list) and isinstance(expected, list):
        return len(given) == len(expected) and all(map(same, given, expected))
    if isinstance(given, dict) and len(given) == 1:
        return same(next(iter(given.values())), expected)
    if isinstance(expected, dict) and len(expected) == 1:
        return same(given, next(iter(expected.values())))
    return bool(given == expected)


def _number(value: Any) -> bool:
    return isinstance(value, int | float)


def _member(answer: Any, name: str) -> Any:
    status, body = answer
    if status != 200:
        return None
    try:
        return json.loads(body)[name]
    except (ValueError, KeyError, TypeError, RecursionError):
        return None


def _difference(given: list[Any], expected: list[Any], single: Any) -> str:
    for number, (a, b) in enumerate(zip(given, expected, strict=True)):
        if not same(a, b):
            return f"Row {number} is {json.dumps(a)[:120]}, expected {json.dumps(b)[:120]}"
    return f"One bare row is {json.dumps(single)[:120]}, expected {json.dumps(expected[0])[:120]}"


def _short(answer: Any) -> str:
    status, body = answer
    return f"status {status}, {str(body)[:300]}"
