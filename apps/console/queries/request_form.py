"""The form that asks for a release as its page shows it: filled in, with what is wrong beside."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from django.urls import reverse
from django.utils.http import urlencode

from apps.builds.queries import last_build_failed
from apps.console.queries.plans import Picture, drawn
from apps.console.queries.release_reviewers import due_if_empty
from apps.console.queries.releases import EnvironmentChoice, RequestChoices
from apps.console.queries.request_again import (
    AS_FORMER,
    Former,
    plan_of,
    preset_of,
    request_again_url,
)
from apps.console.queries.verdicts import SMOKE_WORDS
from apps.governance.queries.presets import Preset
from apps.registry.models import ModelVersion
from apps.serving.hooks import keeper
from placet.kernel.problems import Problem
from placet_verify.permit.limits import BOUNDS
from placet_verify.permit.variables import SETTABLE

# what stands in an input where nothing was typed
USUAL = {
    "plan": "replace",
    "replicas": "1",
    "max_replicas": "2",
    "memory_mb": "1024",
    "capture": "0",
    "server": "bentoml",
}
INPUTS = (
    "environment",
    "endpoint",
    "target",
    "bento",
    "start",
    "unit_source",
    "unit_name",
    "egress",
    "secrets",
    "min_replicas",
    "target_inflight",
    *BOUNDS,
    "reason",
    "review_days",
    *USUAL,
)
UNITS = (("", "Off"), ("header", "Header"), ("cookie", "Cookie"), ("json", "JSON field"))
SERVERS = (("bentoml", "BentoML"), ("slim", "Slim, without BentoML"))
STARTS = (("on_approval", "Roll out immediately"), ("manual", "Wait for an operator"))
LABELS = {
    "bento": "Build",
    "start": "After approval",
    "environment": "Environment",
    "endpoint": "Endpoint",
    "target": "Target (for a new endpoint)",
    "plan": "Rollout plan",
    "replicas": "Replicas",
    "max_replicas": "Max replicas",
    "min_replicas": "Min replicas",
    "target_inflight": "Requests in flight per replica",
    "memory_mb": "Memory per replica (MB)",
    "server": "Server",
    "request_seconds": "Seconds for an answer",
    "in_flight": "Requests at once per replica",
    "queue": "Requests that may wait",
    "queue_seconds": "Seconds in the queue",
    "rate": "Requests a second per caller",
    "secrets": "Secrets",
    "unit_source": "Sticky routing by",
    "unit_name": "Sticky routing key",
    "capture": "Prediction log (%)",
    "egress": "Outbound access",
    "variables": "Environment variables",
    "reason": "Description for reviewers",
    "reviewers": "Reviewers",
    "review_days": "Review due in (days)",
}  # of the inputs, by name


@dataclass(frozen=True, slots=True)
class Option:
    """One choice of a list."""

    value: str
    text: str
    chosen: bool = False
    closed: bool = False


@dataclass(frozen=True, slots=True)
class RequestForm:
    """The form that asks for a release of a version."""

    version: ModelVersion
    offered: RequestChoices
    typed: Mapping[str, Any]
    variables_typed: Mapping[str, str]
    marks: Sequence[str]  # what of the destinations should not be read past
    reviewers_typed: Sequence[str] = ()  # ids of who is asked by name
    problem: Problem | None = None
    faults: Mapping[str, Sequence[str]] | None = None  # by the name of the input
    rest: Sequence[str] = ()  # what is wrong with no input of the form
    former: Former | None = None  # the release that is requested again

    @property
    def labels(self) -> Mapping[str, str]:
        """What stands beside its inputs, by name."""
        return LABELS

    @property
    def unbuilt(self) -> str:
        """Why there is no build to choose."""
        failed = last_build_failed(self.version)
        return "The build of this version failed" if failed else "This version has no build yet"

    @property
    def url(self) -> str:
        """Where it is filled in."""
        if self.former:
            return request_again_url(self.former.release)
        return f"{reverse('release-new')}?{urlencode({'version': self.version.pk})}"

    @property
    def refusal(self) -> str:
        """Why it was refused; '' where it was not sent yet."""
        if self.problem is None:
            return ""
        at_fault = ", ".join(LABELS[name] for name in self.faults or ())
        return f"{self.problem.detail}: {at_fault}" if at_fault else self.problem.detail

    @property
    def recalled(self) -> str:
        """Why none of its Bentos can be asked for; '' where one can."""
        recalls = [bento.recalls for bento in self.offered.bentos]
        return keeper().sentence(recalls[0]) if recalls and all(recalls) else ""

    @property
    def bentos(self) -> list[Option]:
        """What can be asked for; a Bento that is recalled is closed."""
        chosen = self.filled["bento"]
        return [bento_option(bento, chosen) for bento in self.offered.bentos]

    @property
    def untrue(self) -> str:
        """What to know of the newest Bento before it is asked for; '' where it predicts as
        expected."""
        newest = self.offered.bentos[0] if self.offered.bentos else None
        if newest is None or newest.recalls or newest.smoke not in SMOKE_WORDS:
            return ""
        return (
            f"Newest build: {SMOKE_WORDS[newest.smoke]}. The gate “Built and smoke-tested” will "
            "fail wherever a policy has it."
        )

    @property
    def denied(self) -> bool:
        """Whether there are environments, but none that the reader may ask into."""
        environments = self.offered.environments
        return bool(environments) and not any(choice.allowed for choice in environments)

    @property
    def filled(self) -> dict[str, str]:
        """What stands in each input: what was typed, or else what is usual."""
        usual = USUAL | {
            "environment": self.offered.suggested,
            "endpoint": self.version.model.name,
        }
        return {name: str(self.typed.get(name) or usual.get(name, "")) for name in INPUTS}

    @property
    def untouched(self) -> list[str]:
        """The environments that can be asked into where nothing is live at the endpoint yet."""
        rows, name = self.offered.endpoints, self.filled["endpoint"]
        taken = {row.environment for row in rows if row.name == name and row.taken}
        allowed = [c.environment.name for c in self.offered.environments if c.allowed]
        return [place for place in allowed if place not in taken]

    @property
    def has_steps(self) -> bool:
        """Whether a plan would go by its steps in any environment."""
        allowed = [choice for choice in self.offered.environments if choice.allowed]
        return len(self.untouched) < len(allowed)

    @property
    def environments(self) -> list[Option]:
        """Where to."""
        chosen = self.filled["environment"]
        return [environment_option(choice, chosen) for choice in self.offered.environments]

    @property
    def targets(self) -> list[Option]:
        """On which target a new endpoint would stand, where there are several."""
        chosen = self.filled["target"]
        return [
            Option(target, f"{target} ({', '.join(environments)})", target == chosen)
            for target, environments in self.offered.targets.items()
        ]

    @property
    def plans(self) -> list[tuple[Preset, Picture]]:
        """How it goes out; the plan of the release that is requested again too, where it is no
        other."""
        if self.former and preset_of(self.former.release) == AS_FORMER:
            return [*drawn([plan_of(self.former.release)]), *self.offered.plans]
        return self.offered.plans

    @property
    def reviewers(self) -> list[tuple[Option, str, str]]:
        """Who can be asked by name, as what they decide where, and the environments alone."""
        return [
            (Option(pk, name, pk in self.reviewers_typed), where, environments)
            for pk, name, where, environments in self.offered.reviewers
        ]

    @property
    def due_if_empty(self) -> list[tuple[str, str]]:
        """Until when they are asked where no days are typed, by each environment that says so."""
        places = [choice.environment for choice in self.offered.environments if choice.allowed]
        return [(place.name, due_if_empty(place)) for place in places if place.review_days]

    @property
    def starts(self) -> list[Option]:
        """What happens when it is approved."""
        return options(STARTS, self.filled["start"])

    @property
    def servers(self) -> list[Option]:
        """What answers requests around the model."""
        return options(SERVERS, self.filled["server"])

    @property
    def limits(self) -> list[tuple[str, str, str, int, int]]:
        """The limits of its requests: input, label, what stands there, and the bounds."""
        filled = self.filled
        return [(name, LABELS[name], filled[name], *BOUNDS[name]) for name in BOUNDS]

    @property
    def limits_typed(self) -> bool:
        """Whether there is something in one of them."""
        return any(value for _, _, value, _, _ in self.limits)

    @property
    def units(self) -> list[Option]:
        """By what a canary is split."""
        return options(UNITS, self.filled["unit_source"])

    @property
    def variables(self) -> list[tuple[str, str]]:
        """The variables that the version reads, with what was typed."""
        return self._typed(self.version.variables)

    @property
    def usual_variables(self) -> list[tuple[str, str]]:
        """Those that any version may be given."""
        return self._typed(sorted(SETTABLE - {*self.version.variables}))

    @property
    def usual_typed(self) -> bool:
        """Whether one of those was typed, so that it must be seen."""
        return any(value for _, value in self.usual_variables)

    def _typed(self, names: Sequence[str]) -> list[tuple[str, str]]:
        return [(name, self.variables_typed.get(name, "")) for name in names]


def options(rows: Sequence[tuple[str, str]], chosen: str) -> list[Option]:
    """Return a list of choices with one of them chosen."""
    return [Option(value, text, bool(value) and value == chosen) for value, text in rows]


def bento_option(bento: Any, chosen: str) -> Option:
    """Return a Bento as a choice."""
    text = f"{bento.pk[:19]}… built {bento.created_at:%Y-%m-%d %H:%M}"
    if bento.smoke in SMOKE_WORDS:
        text = f"{text} ({SMOKE_WORDS[bento.smoke]})"
    if bento.recalls:
        return Option(bento.pk, f"{text} (recalled)", closed=True)
    return Option(bento.pk, text, bento.pk == chosen)


def environment_option(choice: EnvironmentChoice, chosen: str) -> Option:
    """Return an environment as a choice; one that the reader may not ask into is closed."""
    name = choice.environment.name
    if not choice.allowed:
        return Option(name, f"{name} (no permission)", closed=True)
    stands = " (stopped)" if choice.stopped else " (live)" if choice.live else ""
    return Option(name, f"{name}{stands}", name == chosen)
