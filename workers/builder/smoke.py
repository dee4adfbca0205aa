"""The smoke test: does the built service start, refuse a bad row, and answer as expected?"""

import json
import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import placet_agent
from placet_agent.downloads.leftovers import remove
from workers.builder.bento import Workplace, environment
from workers.builder.causes import cause
from workers.builder.comparison import ACCELERATED, EXACT, Tolerance, every
from workers.builder.errors import BuildCancelled
from workers.builder.runtimes import RuntimeCache
from workers.builder.sandbox import Limits, RunResult
from workers.builder.spec import BuildSpec, Smoke
from workers.builder.untrusted_files import read_json

PROBE = Path(__file__).parent / "probe.py"
SERVER = Path(placet_agent.__file__).with_name("inside.py")  # by which a node serves
READY_SECONDS = 120.0
MAX_ROWS = 100
MAX_ANSWERS_FILE = 64 * 1024 * 1024
START_FAILED = "Application startup failed"
UNKNOWN_FIELD = "placet: no such field"
_Given = tuple[list[Any], Any, tuple[int, str] | None]


def questions(spec: BuildSpec) -> list[tuple[str, Any]]:
    """Return paths and bodies that are sent: a bad row, then all example rows, then one bare.

    An API of the version's own gets each row as its arguments: what it refuses is its own affair.
    """
    rows = (spec.example or [])[:MAX_ROWS]
    if spec.own:
        return [(f"/{spec.api}", row) for row in rows]
    bad = {**(rows[0] if rows else {}), UNKNOWN_FIELD: "x"}
    bodies = [{"instances": [bad]}, *([{"instances": rows}, rows[0]] if rows else [])]
    return [("/predict", body) for body in bodies]


def run(
    spec: BuildSpec,
    workplace: Workplace,
    runtimes: RuntimeCache,
    runtime: str,
    *,
    log: Callable[[str], None],
    cancelled: Callable[[], bool],
    ready_seconds: float = READY_SECONDS,
    accelerated: bool = False,
) -> Smoke:
    """Serve the Bento in the sandbox and judge its answers."""
    folder = _emptied(workplace.root / "smoke")
    (folder / "questions.json").write_text(json.dumps(questions(spec)), encoding="utf-8")
    files, bento = (folder / "questions.json", folder / "answers.json"), workplace.bento
    command = [runtimes.python(runtime), PROBE, *files, bento, ready_seconds]
    command += [] if spec.own else [SERVER]  # nothing but BentoML knows a service of its own
    watcher = _Watcher(log, cancelled)
    result = runtimes.sandbox.run(
        [str(word) for word in command],
        binds_ro=[runtimes.folder(runtime), bento, PROBE, SERVER],
        binds_rw=[folder],
        env={**environment(workplace), "BENTOML_HOME": str(folder)},
        limits=Limits(memory_mb=spec.memory_mb, seconds=2 * ready_seconds + 120, disk_mb=1024),
        cancelled=watcher.stop,
        on_line=watcher.line,
        cwd=folder,
        workplace=workplace.root,
    )
    if result.reason == "cancelled" and not watcher.broken:
        raise BuildCancelled
    report = read(files[1])
    isolation, seconds = runtimes.sandbox.isolation, round(result.seconds, 3)
    if report is None or not report.ready:
        return Smoke("failed", 0, 0, isolation, seconds, _last_words(result)[:1000])
    log(f"Ready after {report.seconds:.1f} s")
    tolerance = ACCELERATED if accelerated else EXACT
    found = judge(spec, report.answers, isolation, seconds, tolerance, cause(result.tail))
    found = replace(found, cold_start_seconds=round(report.seconds, 3))
    return found if spec.own else _with_slim(found, report, log)


def _emptied(folder: Path) -> Path:
    remove(folder)
    folder.mkdir()
    return folder


@dataclass(slots=True)
class _Watcher:
    """Passes log lines on, and stops a service whose start failed: BentoML would try for ever."""

    log: Callable[[str], None]
    cancelled: Callable[[], bool]
    broken: bool = False

    def line(self, text: str) -> None:
        """Pass one line on."""
        self.broken = self.broken or START_FAILED in text
        self.log(text)

    def stop(self) -> bool:
        """Tell whether to end the service."""
        return self.broken or self.cancelled()


def _last_words(result: RunResult) -> str:
    """Say why it was not ready: the last error that the log names, else how the run ended."""
    said = result.sentence("serving it") if not result.ok else "it did not say why"
    return f"The service never became ready: {cause(result.tail) or said}"


@dataclass(frozen=True, slots=True)
class Found:
    """What the service answered, in the order of the questions."""

    ready: bool
    seconds: float
    answers: list[tuple[int, str]]
    slim: "Found | None" = None  # the same without BentoML

    @property
    def answers_slim(self) -> bool:
        """Whether it answers without BentoML what it answers with it."""
        return self.slim is not None and self.slim.ready and self.slim.answers == self.answers

    @property
    def says_of_slim(self) -> str:
        """What to say of that."""
        if self.slim is None or not self.slim.ready:
            return "Without BentoML it never became ready: it cannot be served slim"
        if not self.answers_slim:
            return "Without BentoML it answers otherwise: it cannot be served slim"
        return f"Slim, without BentoML: the same answers, ready after {self.slim.seconds:.1f} s"


def _with_slim(found: Smoke, report: Found, log: Callable[[str], None]) -> Smoke:
    log(report.says_of_slim)
    slim = report.slim if report.answers_slim else None
    took = round(slim.seconds, 3) if slim else None
    return replace(found, slim=slim is not None, slim_cold_start_seconds=took)


def read(path: Path) -> Found | None:
    """Read what the sandbox left, which is not trusted: ``None`` when it is not of the form."""
    try:
        report = read_json(path, MAX_ANSWERS_FILE)
        found = _found(report)
        return replace(found, slim=_found(report.get("slim"))) if found else None
    except (OSError, ValueError, TypeError):
        return None


def _found(report: Any) -> Found | None:
    match report:
        case {"ready": bool(ready), "seconds": float(seconds), "answers": list(answers)} if (
            0 <= seconds < math.inf
        ):
            pairs = [(int(status), str(body)) for status, body in answers]
            return Found(ready, seconds, pairs)
    return None


def judge(
    spec: BuildSpec,
    answers: list[tuple[int, str]],
    isolation: str,
    seconds: float,
    tolerance: Tolerance = EXACT,
    error: str = "",
) -> Smoke:
    """Compare the answers with what the version says it answers; ``error`` is the last that the
    service printed."""
    rows = len((spec.example or [])[:MAX_ROWS])

    def verdict(result: Any, equal: int, detail: str) -> Smoke:
        return Smoke(result, rows, equal, isolation, seconds, detail)

    if len(answers) != len(questions(spec)):
        return verdict("failed", 0, "The service did not answer every question")
    if not spec.own and answers[0][0] != 400:
        return verdict(
            "failed", 0, f"A row with an unknown field was answered with {answers[0][0]}, not 400"
        )
    if not rows:
        return verdict("starts", 0, "It starts; the version has no example to ask")
    predictions, single, bad = _own_answers(answers) if spec.own else _predictions(answers, rows)
    if bad:
        return verdict("failed", 0, f"The example was not predicted: {_short(bad, error)}")
    if not spec.expected:
        return verdict("starts", 0, "It starts and predicts; the version has no expected output")
    expected = spec.expected[:rows]
    if len(expected) != rows:
        return verdict("different", 0, "The version has fewer expected outputs than example rows")
    equal = sum(same(a, b, tolerance) for a, b in zip(predictions, expected, strict=True))
    if equal == rows and same(single, expected[0], tolerance):
        return verdict("equal", equal, f"{every(rows)} predicted as expected")
    return verdict("different", equal, _difference(predictions, expected, single, tolerance))


def _predictions(answers: list[tuple[int, str]], rows: int) -> _Given:
    """Return the answers to all rows and to the bare one, or the one that is no prediction."""
    predictions, single = _member(answers[1], "predictions"), _member(answers[2], "prediction")
    whole = isinstance(predictions, list) and len(predictions) == rows and single is not None
    return (predictions, single, None) if whole else ([], None, answers[1])


def _own_answers(answers: list[tuple[int, str]]) -> _Given:
    """Return what the version's own API answered to each row, which is JSON of any form."""
    outputs = []
    for status, body in answers:
        try:
            if status != 200:
                raise ValueError(status)
            outputs.append(json.loads(body))
        except (ValueError, RecursionError):
            return [], None, (status, body)
    return outputs, outputs[0], None


def same(actual: Any, expected: Any, tolerance: Tolerance = EXACT) -> bool:
    """Tell whether two outputs are equal; fractions within the tolerance."""
    if isinstance(actual, bool) or isinstance(expected, bool):
        return actual is expected or (_number(actual) and _number(expected) and actual == expected)
    if _number(actual) and _number(expected):
        return tolerance.holds(actual, expected)
    if isinstance(actual, dict) and isinstance(expected, dict):
        return set(actual) == set(expected) and all(
            same(actual[k], expected[k], tolerance) for k in actual
        )
    if isinstance(actual, list) and isinstance(expected, list):
        return len(actual) == len(expected) and all(
            same(a, b, tolerance) for a, b in zip(actual, expected, strict=True)
        )
    if isinstance(actual, dict) and len(actual) == 1:
        return same(next(iter(actual.values())), expected, tolerance)
    if isinstance(expected, dict) and len(expected) == 1:
        return same(actual, next(iter(expected.values())), tolerance)
    return bool(actual == expected)


def _number(value: Any) -> bool:
    return isinstance(value, int | float)


def _member(answer: tuple[int, str], name: str) -> Any:
    status, body = answer
    if status != 200:
        return None
    try:
        return json.loads(body)[name]
    except (ValueError, KeyError, TypeError, RecursionError):
        return None


def _difference(actual: list[Any], expected: list[Any], single: Any, tolerance: Tolerance) -> str:
    for number, (a, b) in enumerate(zip(actual, expected, strict=True)):
        if not same(a, b, tolerance):
            return f"Row {number} is {json.dumps(a)[:120]}, expected {json.dumps(b)[:120]}"
    return f"One bare row is {json.dumps(single)[:120]}, expected {json.dumps(expected[0])[:120]}"


def _short(answer: tuple[int, str], error: str) -> str:
    status, body = answer
    if status >= 500 and error:  # the answer itself tells nobody what is inside
        return error
    return f"status {status}, {str(body)[:300]}"
