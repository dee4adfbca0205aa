"""What a worker hands over about a build, and what counts as open. Standard library only."""

from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any


class BuildState(StrEnum):
    """``queued → running → succeeded | failed | cancelled``."""

    QUEUED = "queued"
    RUNNING = "running"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    CANCELLED = "cancelled"


OPEN = (BuildState.QUEUED, BuildState.RUNNING)
MAX_LINES = 5000
MAX_TEXT = 2000
CUT_OFF = "More lines came and are not kept"


@dataclass(frozen=True, slots=True)
class LogLine:
    """One line of a build's log."""

    at: datetime
    step: str
    text: str


@dataclass(frozen=True, slots=True)
class ScanReport:
    """The scanner's verdict, as evidence holds it."""

    verdict: str
    findings: list[dict[str, str]]
    scanner: dict[str, str]
    files: int

    def data(self) -> dict[str, Any]:
        """Return the evidence."""
        return {
            "verdict": self.verdict,
            "findings": self.findings,
            "scanner": self.scanner,
            "files": self.files,
        }


@dataclass(frozen=True, slots=True)
class SmokeReport:
    """What the service answered in the sandbox, as evidence holds it."""

    result: str
    rows: int
    equal: int
    isolation: str
    seconds: float
    detail: str
    slim: bool = False  # whether it answered the same without BentoML
    cold_start_seconds: float | None = None  # from its start until it was ready
    slim_cold_start_seconds: float | None = None  # the same without BentoML

    def data(self) -> dict[str, Any]:
        """Return the evidence."""
        names = ("cold_start_seconds", "slim_cold_start_seconds")
        measured = {name: took for name in names if (took := getattr(self, name)) is not None}
        return measured | {
            "result": self.result,
            "rows": self.rows,
            "equal": self.equal,
            "isolation": self.isolation,
            "seconds": self.seconds,
            "detail": self.detail,
        }


@dataclass(frozen=True, slots=True)
class AccelerationReport:
    """Whether the ONNX form is served, and the comparison behind it, as evidence holds it."""

    verdict: str
    rows: int
    equal: int
    max_absolute: float
    max_relative: float
    absolute: float
    relative: float
    converters: dict[str, str]
    detail: str

    def data(self) -> dict[str, Any]:
        """Return the evidence."""
        return {
            "verdict": self.verdict,
            "rows": self.rows,
            "equal": self.equal,
            "max_absolute": self.max_absolute,
            "max_relative": self.max_relative,
            "tolerance": {"absolute": self.absolute, "relative": self.relative},
            "converters": self.converters,
            "detail": self.detail,
        }


@dataclass(frozen=True, slots=True)
class BuiltRuntime:
    """The runtime that a build used."""

    digest: str
    python_version: str
    lock: str
    wheels: list[dict[str, Any]]


@dataclass(frozen=True, slots=True)
class Built:
    """Everything that a successful build made. SHA-256 values are hex digits."""

    bento_sha256: str
    bento_size: int
    runtime: BuiltRuntime
    scan: ScanReport  # of the files with what loads them here
    smoke: SmokeReport
    sbom_sha256: str
    components: int
    provenance: str
    model_signature: str
    isolation: str
    timings: dict[str, float] = field(default_factory=dict)
    acceleration: AccelerationReport | None = None
    signed: dict[str, Any] | None = None  # what the version's own model.sig is worth

    @property
    def accelerated(self) -> bool:
        """Tell whether the Bento answers with the model's ONNX form."""
        return self.acceleration is not None and self.acceleration.verdict == "accelerated"

    @property
    def bento_digest(self) -> str:
        """Return the digest that people approve."""
        return f"sha256:{self.bento_sha256}"


def clean_log_text(text: str) -> str:
    """Return a log line as it is stored: bounded, without NUL and control characters."""
    clean = "".join(c if c.isprintable() or c == "\t" else "\ufffd" for c in text)
    return clean[:MAX_TEXT]
