"""Releases as the pages show them."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from django.contrib.postgres.expressions import ArraySubquery
from django.db.models import Exists, OuterRef

from apps.assurance.queries.visible_recalls import recalls_of_version
from apps.builds.models import Bento
from apps.console.queries.offered_targets import targets_of
from apps.console.queries.plans import Picture, drawn
from apps.console.queries.policies import PolicyRow, policy_rows
from apps.console.queries.rollout_words import sides_of
from apps.console.queries.verdicts import with_smoke
from apps.console.queries.way_back import once_replaced, once_was_replaced
from apps.governance.gates.facts import Facts
from apps.governance.models import Environment, PolicyRevision, Release
from apps.governance.plan import Plan, Step
from apps.governance.queries.deciders import asked_deciders, deciders, ids_of, recalled_of
from apps.governance.queries.facts import soaks_of
from apps.governance.queries.foretelling import (
    ForetoldGate,
    facts_before,
    foretold,
)
from apps.governance.queries.presets import Preset, common_presets, own_presets
from apps.governance.queries.standing import standings
from apps.governance.rules import ReleaseState
from apps.registry.models import ModelVersion
from apps.rollouts.models import Rollout
from apps.rollouts.rules import steps_for
from apps.rollouts.states import ENDED_BADLY, RolloutKind, RolloutState
from apps.serving.hooks import keeper
from apps.serving.models import Endpoint
from placet.kernel.actor import Actor, Scope
from placet.kernel.clock import now

AT_ONCE = "all traffic at once"


@dataclass(slots=True)
class EnvironmentChoice:
    """An environment that a version may be asked into, and what its policy will ask."""

    environment: Environment
    gates: list[str]
    policy: PolicyRevision | None
    allowed: bool
    live: bool
    stopped: bool = False  # it would be live, but its endpoint is stopped
    foretold: Sequence[ForetoldGate] = ()  # what its gates would say of the newest build

    @property
    def asks(self) -> str:
        """What its policy will ask."""
        if self.policy is None:
            return "no policy: nothing can be released"
        return " · ".join(self.gates) or "nothing"


@dataclass(slots=True)
class RequestChoices:
    """Everything the form that asks for a release shows."""

    environments: list[EnvironmentChoice]
    bentos: Sequence[Any]  # each with its recalls
    endpoints: Sequence[Any]  # each with whether it is ``taken``: something is live there
    targets: dict[str, list[str]]  # where there are several, with the environments that run there
    plans: list[tuple[Preset, Picture]]
    # who can be asked: id, name, as what where, and the environments alone
    reviewers: Sequence[tuple[str, str, str, str]] = ()

    @property
    def suggested(self) -> str:
        """The first environment on the way to production where this version is not live yet."""
        open_choices = [p for p in self.environments if p.allowed and not p.live]
        return open_choices[0].environment.name if open_choices else ""


@dataclass(slots=True)
class RolloutPhase:
    """One phase of a rollout on the page."""

    title: str
    text: str
    state: str  # done, now, failed, ''
    at: datetime | None = None


def request_choices(version: ModelVersion, actor: Actor) -> RequestChoices:
    """Return what the form that asks for a release of ``version`` shows."""
    here = Release.objects.filter(endpoint=OuterRef("pk"), state=ReleaseState.LIVE)
    there = Endpoint.objects.kept().filter(project=version.project_id)
    there = there.annotate(serves=Exists(here.filter(version=version)), taken=Exists(here))
    endpoints: list[Any] = list(there.order_by("environment", "name"))
    live = {endpoint.environment for endpoint in endpoints if endpoint.serves}
    serving = {one.environment for one in endpoints if one.serves and not one.is_stopped}
    rows = policy_rows([version.project], actor, to_request=True)
    bentos = offered_bentos(version)
    newest = next((bento for bento in bentos if not bento.recalls), None)
    facts = facts_before(newest, actor) if newest else None
    foretelling = _foretelling(rows, version, facts, actor) if facts else {}
    offered = targets_of(row.environment for row in rows)
    own = [preset for row in rows for preset in own_presets(row.environment)]
    return RequestChoices(
        environments=[
            EnvironmentChoice(
                row.environment,
                row.gates,
                row.policy,
                actor.can("release.request", Scope(version.project_id, row.environment.name)),
                row.environment.name in live,
                row.environment.name in live - serving,
                foretelling.get(row.environment.name, ()),
            )
            for row in rows
        ],
        bentos=bentos,
        endpoints=endpoints,
        targets=offered if len(offered) > 1 else {},
        plans=drawn([*own, *common_presets()]),
        reviewers=_reviewers([row.environment for row in rows], version, actor),
    )


def _reviewers(
    environments: Sequence[Any], version: ModelVersion, actor: Actor
) -> list[tuple[str, str, str, str]]:
    """Return who decides in any of the environments by their policies, but not who asks nor who
    made the version: others let it serve."""
    names: dict[str, str] = {}
    places: dict[str, dict[str, list[str]]] = {}
    for environment in environments:
        for holders in asked_deciders(environment, actor):
            for person in holders.able:
                names[person.id] = person.name
                roles = places.setdefault(person.id, {})
                roles.setdefault(holders.role, []).append(environment.name)
    own = {actor.accountable, version.author}
    found = [
        (
            pk,
            name,
            "; ".join(f"{role} in {', '.join(at)}" for role, at in places[pk].items()),
            " ".join({one: None for at in places[pk].values() for one in at}),
        )
        for pk, name in names.items()
        if pk not in own
    ]
    return sorted(found, key=lambda one: (one[1].casefold(), one[0]))


def _foretelling(
    rows: Sequence[PolicyRow], version: ModelVersion, facts: Facts, actor: Actor
) -> dict[str, list[ForetoldGate]]:
    """Return by environment what its gates would say of the newest Bento that is not recalled."""
    asked = [row for row in rows if row.policy]
    people = [deciders(row.environment, actor) for row in asked]
    releases = [
        Release(version=version, policy=row.policy, requester=facts.requester) for row in asked
    ]
    known, found = standings(releases, ids_of(people), recalled_of(people)), {}
    for row, release, holders in zip(asked, releases, people, strict=True):
        here = replace(facts, environment=row.environment.name, freezes=row.freezes)
        found[row.environment.name] = foretold(release, here, holders, known)
    return found


def offered_bentos(version: ModelVersion) -> list[Any]:
    """Return the Bentos of ``version``, the newest first, each with the recalls that keep it from
    being asked for (``recalls``) and its smoke test's result (``smoke``)."""
    rows = with_smoke(Bento.objects.filter(version=version), bento="pk").annotate(
        named=keeper().listed("pk"),
        recalled=recalls_of_version("version__"),
        soaked=ArraySubquery(soaks_of("pk")),
    )
    rows = rows.select_related("build")
    bentos: list[Any] = list(rows.order_by("-created_at")[:50])
    for bento in bentos:
        bento.version, bento.recalls = version, [*bento.recalled, *bento.named]
    return bentos


def _phases(
    start: str, shift: str, settle: str, live: str
) -> tuple[tuple[RolloutState, str, str], ...]:
    return (
        (RolloutState.STARTING, "Start", start),
        (RolloutState.SHIFTING, "Shift", shift),
        (RolloutState.DRAINING, "Settle", settle),
        (RolloutState.DONE, "Live", live),
    )


def _left(release: Release, rollout: Rollout | None) -> tuple[str, str]:
    """Say how what served before is left, and what becomes of it then."""
    # only what a release replaces is kept, never what is rolled back from
    goes_out = rollout is None or rollout.kind == RolloutKind.RELEASE
    keep = Plan.stored(release.plan).keep_warm_seconds if goes_out else 0
    old = f"the {sides_of(rollout)[1] if rollout else 'old'} revision"
    settle = f"traffic leaves {old}" if keep else f"{old} finishes its requests"
    if rollout is None or rollout.state != RolloutState.DONE:
        return settle, f"{old} {once_replaced(keep)}"
    until = (rollout.finished_at or now()) + timedelta(seconds=keep)
    is_over = release.state != ReleaseState.LIVE or until <= now()
    return settle, f"{old} {once_was_replaced(keep) if is_over else once_replaced(keep)}"


def _alone(release: Release, rollout: Rollout | None) -> str:
    """Say that it serves without another revision, or did until it was live no more."""
    was_live = rollout is not None and rollout.state == RolloutState.DONE
    return "served alone" if was_live and release.state != ReleaseState.LIVE else "serves alone"


def _planned(release: Release, live: Release | None) -> Sequence[Step]:
    """Return the steps of the plan as they would be carried out: one where nothing gives way."""
    plan, kind = Plan.stored(release.plan), RolloutKind.RELEASE
    return steps_for(plan, kind=kind, has_stable=live is not None)


def rollout_steps(
    release: Release, rollout: Rollout | None, live: Release | None
) -> list[RolloutPhase]:
    """Return the phases of a rollout, and how far it is; shifting is every step of the plan.

    Before it has begun, ``live`` is what would give way to it.
    """
    count = len(rollout.steps if rollout else _planned(release, live))
    shift = AT_ONCE if count == 1 else f"{count} steps"
    replaces = rollout.from_revision_id if rollout else live
    left = _left(release, rollout) if replaces else ("nothing to replace", _alone(release, rollout))
    goes_back = rollout is not None and rollout.kind != RolloutKind.RELEASE
    start = "replicas of the former revision" if goes_back else "new replicas, no traffic"
    phases = _phases(start, shift, *left)
    if rollout is None:
        return [RolloutPhase(title, text, "") for _, title, text in phases]
    names = [name for name, _, _ in phases]
    ended_badly = rollout.state in (*ENDED_BADLY, RolloutState.ABORTING)
    first = rollout.step_times.get("0")
    times = ({RolloutState.SHIFTING: first} if first else {}) | rollout.phase_times
    reached = [n for n in names if n in times]
    steps = []
    for name, title, text in phases:
        at = times.get(name)
        is_last = bool(reached) and name == reached[-1]
        if at is None:
            state = ""
        elif ended_badly and is_last:
            state = "failed"
        elif is_last and rollout.state != RolloutState.DONE:
            state = "now"
        else:
            state = "done"
        steps.append(RolloutPhase(title, text, state, datetime.fromisoformat(at) if at else None))
    return steps
