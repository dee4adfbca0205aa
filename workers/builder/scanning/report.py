"""What a scan found: a running verdict over everything, and a list of what is worth telling."""

import errno
from collections.abc import Callable
from dataclasses import dataclass, field

from workers.builder.scanning.known import ORDER, Verdict, worst

MAX_TYPES = 5000  # with names of 200 letters, they fit into an answer
MAX_TOLD = 250  # of each verdict, so that harmless ones never hide a grave one


@dataclass(slots=True)
class Report:
    """The verdict on a set of files. ``safe`` needs a file: of none it is ``unknown``."""

    findings: list[tuple[str, Verdict, str]] = field(default_factory=list)
    judged: set[Verdict] = field(default_factory=set)
    doubted: set[str] = field(default_factory=set)  # files that are graver than safe
    told: dict[Verdict, int] = field(default_factory=dict)
    members: int = 0
    expanded: int = 0
    tagged: int = 0  # bytes of YAML that Python's own reader was given
    garbled: int = 0  # bytes of YAML that were read in other locales
    headers: int = 0  # bytes of long headers of arrays
    cut: bool = False  # the machine, and not a file, kept one from being read
    types: set[str] = field(default_factory=set)  # of skops files, as far as they may be loaded
    warn: Callable[["Report"], None] = lambda report: None  # called at the first malicious thing

    def note(self, path: str, verdict: Verdict, what: str) -> None:
        """Count a verdict on ``path``; an empty text is not told."""
        first = verdict == "malicious" and verdict not in self.judged
        self.judged.add(verdict)
        if verdict != "safe":
            self.doubted.add(path.partition("!")[0])
        if what and self.told.get(verdict, 0) < MAX_TOLD:
            self.told[verdict] = self.told.get(verdict, 0) + 1
            self.findings.append((path, verdict, what))
        if first:
            self.warn(self)

    def once(self, path: str, verdict: Verdict, what: str) -> None:
        """Do the same, unless it was told already, before the rest of a file was looked at."""
        if (path, verdict, what) not in self.findings:
            self.note(path, verdict, what)

    def takes(self, path: str, types: set[str]) -> None:
        """Count types that a file of skops may load, as far as there is room for all."""
        if len(self.types | types) > MAX_TYPES:
            self.note(path, "unknown", f"names more than {MAX_TYPES} types, with other files")
        else:
            self.types |= types

    def failed(self, path: str, error: Exception, what: str) -> None:
        """Note that a file could not be read, and whether that was the machine's fault."""
        self.cut |= is_of_the_machine(error)
        self.note(path, "unknown", f"could not be {what} ({type(error).__name__})")

    def verdict(self) -> Verdict:
        """Return the gravest verdict of all that were counted."""
        return worst(list(self.judged))

    def gravest_first(self) -> list[tuple[str, Verdict, str]]:
        """Return the findings, the gravest first."""
        return sorted(self.findings, key=lambda finding: -ORDER.index(finding[1]))


def is_of_the_machine(error: BaseException) -> bool:
    """Tell whether the machine, and not the file, kept it from being read: of errors of a system
    call a file can bring about none but that of a place before its beginning."""
    number = getattr(error, "errno", None)
    return isinstance(error, MemoryError) or number not in (None, errno.EINVAL)
