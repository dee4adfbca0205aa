"""What a pass of the loop remembers of a revision, and what it saw of all of them."""

from dataclasses import dataclass, field

from placet_agent import rules
from placet_agent.preparer import Progress
from placet_agent.protocol import NodeError, RevisionReport


@dataclass
class Control:
    """What the node remembers of one revision between passes; lost without harm."""

    crashes: rules.Crashes = field(default_factory=rules.Crashes)
    settings: tuple[object, ...] = ()
    phase: str = ""
    complete: bool = False  # every replica answers
    since: str = ""  # the phase or its completeness changed
    full: str = ""  # why a replica has no place in HAProxy
    progress: Progress = field(default_factory=Progress)


@dataclass(frozen=True)
class Observed:
    """What a pass saw, for the report."""

    revisions: tuple[RevisionReport, ...] = ()
    prefetched: tuple[str, ...] = ()
    recalled: tuple[str, ...] = ()
    errors: tuple[NodeError, ...] = ()
    applied: tuple[int, int] = (0, 0)
