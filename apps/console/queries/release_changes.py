"""The card of what a release changes, as of one moment, and beside it what its page shows today."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from apps.console.queries.page_parts import counted
from apps.console.templatetags.placet import capture, number, reaches, unit
from apps.governance.queries.changes import Changes, DependencyRow, MetricComparison
from apps.governance.queries.records import LiveThen, ReleaseRecord
from placet_verify.permit.limits import Limits

PACKAGES = 6
SERVING = {
    "egress": "Outbound access",
    "max_replicas": "Max replicas",
    "memory_mb": "Memory (MB)",
    "target_inflight": "Scaled by load",
    "min_replicas": "Min replicas",
}


def server_word(name: str | None) -> str:
    """Show what answers requests around the model."""
    return name or "BentoML"


def limits_words(document: Mapping[str, int] | None) -> str:
    """Show the limits of requests."""
    return str(Limits(**document)) if document else "none"


def secrets_words(named: Mapping[str, str] | None) -> str:
    """Show which secrets replicas find, by their files."""
    pairs = sorted((named or {}).items())
    return ", ".join(f"{file} from {name}" for file, name in pairs) or "none"


def target_words(target: int | None) -> str:
    """Show to what load a node scales; the replicas are said by rows of their own."""
    return f"to {counted(target, 'request')} in flight per replica" if target else "no"


def least_words(least: int | None) -> str:
    """Show the fewest replicas that a node scales to, where they are not those of the start."""
    if least == 0:
        return "0: it sleeps when nobody calls"
    return number(least) if least else "not set"


SAID: dict[str, Callable[[Any], str]] = {  # how a value is said; else a number
    "unit": unit,
    "capture": capture,
    "egress": reaches,
    "server": server_word,
    "limits": limits_words,
    "secrets": secrets_words,
    "target_inflight": target_words,
    "min_replicas": least_words,
}
LEFT_OUT = {"metrics": "metric", "schema": "column", "serving": "serving value"}


@dataclass(frozen=True, slots=True)
class ServingRow:
    """One member of the serving configuration that changes."""

    name: str
    before: Any
    after: Any
    since: str = ""  # what differs today

    @property
    def title(self) -> str:
        """What it is called."""
        return SERVING.get(self.name, self.name[:1].upper() + self.name[1:])

    @property
    def sides(self) -> list[Any]:
        """Both sides as they are shown; variables are shown one by one."""
        say = SAID.get(self.name, number)
        both = [self.before, self.after]
        return both if self.name == "variables" else [say(side) for side in both]


@dataclass(frozen=True, slots=True)
class MetricRow:
    """One metric."""

    metric: MetricComparison
    since: str = ""


@dataclass(frozen=True, slots=True)
class ShownChanges:
    """What the card shows of ``record``. Where ``today`` is given, what differs there is said."""

    record: ReleaseRecord
    live_column: str  # what stands above the numbers of what it is compared with
    own_column: str  # and above those of its own version
    today: ReleaseRecord | None = None

    @property
    def changes(self) -> Changes:
        """Everything that differs."""
        return self.record.changes

    @property
    def compared(self) -> bool:
        """Whether there is something live to set it beside."""
        return bool(self.changes.compared_with)

    @property
    def live(self) -> LiveThen | None:
        """What it is compared with."""
        return self.record.live

    @property
    def facts_title(self) -> str:
        """What stands above the first column."""
        metrics = self.changes.metrics
        return f"Metrics, {metrics[0].source or 'none for this version'}" if metrics else "Facts"

    @property
    def metrics(self) -> list[MetricRow]:
        """The metrics, with what differs today."""
        known = {m.name: m for m in self._today.metrics}
        return [MetricRow(m, self._since(m, known.get(m.name))) for m in self.changes.metrics]

    def _since(self, then: MetricComparison, now: MetricComparison | None) -> str:
        if self.today is None or then == now:
            return ""
        return f"{_side(now.live)} → {_side(now.proposed)}" if now else "not shown"

    @property
    def inputs_since(self) -> str:
        """How many inputs what it is compared with today has, where that differs."""
        now = self.today.live if self.today else None
        then = self.live.inputs if self.live else None
        return number(now.inputs) if now and now.inputs != then else ""

    @property
    def packages(self) -> tuple[DependencyRow, ...]:
        """The first of the packages that change."""
        return self.changes.dependencies[:PACKAGES]

    @property
    def more_packages(self) -> int:
        """How many more packages change."""
        left_out = self.record.left_out.get("dependencies", 0)
        return max(len(self.changes.dependencies) - PACKAGES, 0) + left_out

    @property
    def _all_packages(self) -> int:
        return len(self.changes.dependencies) + self.record.left_out.get("dependencies", 0)

    @property
    def packages_since(self) -> str:
        """How many packages change today, where that differs."""
        now = len(self._today.dependencies)
        return f"{now} changed" if self.today and now != self._all_packages else ""

    @property
    def policy_since(self) -> str:
        """Between which revisions of the policy it changes today, where those differ."""
        then = (self.changes.policy_live, self.changes.policy_proposed)
        now = (self._today.policy_live, self._today.policy_proposed)
        if self.today is None or then == now:
            return ""
        return " → ".join(f"r{one}" for one in now if one is not None)

    @property
    def serving(self) -> list[ServingRow]:
        """What changes of the serving configuration."""
        known = {name: (before, after) for name, before, after in self._today.serving}
        return [
            ServingRow(name, before, after, self._serving_since(name, (before, after), known))
            for name, before, after in self.changes.serving
        ]

    def _serving_since(
        self, name: str, then: tuple[Any, Any], known: Mapping[str, tuple[Any, Any]]
    ) -> str:
        now = known.get(name)
        if self.today is None or then == now:
            return ""
        if now is None:
            return "the same"
        sides = ServingRow(name, *now).sides
        return "other values" if name == "variables" else " → ".join(map(str, sides))

    @property
    def added(self) -> list[str]:
        """What its card shows today that it did not then."""
        if self.today is None:
            return []
        metrics = self._new("metrics", [m.name for m in self._today.metrics])
        serving = self._new("serving", [row[0] for row in self._today.serving])
        return [*metrics, *(ServingRow(name, None, None).title for name in serving)]

    def _new(self, of: str, today: list[str]) -> list[str]:
        if of in self.record.left_out:  # some of them stood there
            return []
        then = [m.name for m in self.changes.metrics]
        names = then if of == "metrics" else [row[0] for row in self.changes.serving]
        return [name for name in today if name not in names]

    @property
    def left_out(self) -> str:
        """How much there was no room to keep, in a sentence; '' where all was kept."""
        many = [
            counted(count, LEFT_OUT[name])
            for name, count in self.record.left_out.items()
            if name in LEFT_OUT
        ]
        return f"Not kept, for want of room: {', '.join(many)}." if many else ""

    @property
    def _today(self) -> Changes:
        return self.today.changes if self.today else self.changes


def _side(value: float | None) -> str:
    return "–" if value is None else number(value)
