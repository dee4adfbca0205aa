"""Environments with their policies as the pages show them."""

from collections.abc import Sequence
from dataclasses import dataclass

from django.db.models import Count

from apps.console.queries.paging import keyed
from apps.console.queries.passkeys import Signing, demanded, signing
from apps.console.queries.plans import Picture, drawn
from apps.governance import break_glass
from apps.governance.gates import GATES
from apps.governance.models import Environment, Freeze, PolicyRevision
from apps.governance.queries.lists import freezes, policies
from apps.governance.queries.presets import Preset, own_presets
from apps.identity.models import Project
from apps.identity.queries import people_names, visible
from placet.kernel.actor import Actor, Scope
from placet.kernel.clock import now


@dataclass(slots=True)
class PolicyRow:
    """An environment in the list, with the policy in force."""

    environment: Environment
    policy: PolicyRevision | None
    gates: list[str]
    drafts: int
    frozen: bool
    readable: bool  # whether the reader may see policies here at all


@dataclass(slots=True)
class PolicyPage:
    """One environment: the policy in force, drafts, history, freezes."""

    current: PolicyRevision | None
    gates: list[str]
    drafts: list[PolicyRevision]
    history: list[PolicyRevision]
    freezes: list[Freeze]
    names: dict[str, str]
    source: str
    plans: list[tuple[Preset, Picture]]
    signing: dict[int, Signing]  # by number: the drafts that a passkey publishes


def gate_titles(policy: PolicyRevision | None) -> list[str]:
    """Return the gates of a policy as sentences."""
    if policy is None:
        return []
    gates = policy.document["gates"]
    titles = [GATES[g["gate"]].title(g) for g in gates if g["gate"] in GATES]
    said = policy.document.get("break_glass")
    return [*titles, break_glass.title(said)] if said else titles


def policy_list_page(
    actor: Actor, *, project: str = "", after: str = ""
) -> tuple[list[PolicyRow], str]:
    """Return the environments of one page of projects, and the project to go on after."""
    found = visible(Project.objects.all(), actor, project="pk")
    projects, key = keyed(found.filter(slug=project) if project else found, ("slug",), after)
    return policy_rows(projects, actor), key


def policy_rows(projects: Sequence[Project], actor: Actor) -> list[PolicyRow]:
    """Return every environment the actor may see, with its policy in force."""
    places = visible(
        Environment.objects.filter(project__in=projects).select_related("project"), actor
    ).order_by("project__name", "position")
    written = visible(
        PolicyRevision.objects.filter(environment__in=places), actor, view="policy.view"
    )
    newest = written.filter(state="published").order_by("environment_id", "-number")
    current = {policy.environment_id: policy for policy in newest.distinct("environment_id")}
    counted = written.filter(state="draft").values("environment_id").order_by("environment_id")
    drafts = dict(counted.annotate(count=Count("pk")).values_list("environment_id", "count"))
    frozen = {
        f.environment_id
        for f in Freeze.objects.filter(environment__in=places, lifted_at=None)
        if f.starts_at <= now() and (f.ends_at is None or f.ends_at > now())
    }
    return [
        PolicyRow(
            place,
            current.get(place.pk),
            gate_titles(current.get(place.pk)),
            drafts.get(place.pk, 0),
            place.pk in frozen,
            actor.can("policy.view", Scope(place.project_id, place.name)),
        )
        for place in places
    ]


def policy_page(place: Environment, actor: Actor, *, source: str = "") -> PolicyPage:
    """Return what the page of one environment's policies shows."""
    rows = list(policies(place, actor).order_by("-number")[:50])
    current = next((p for p in rows if p.state == "published"), None)
    people = {p.drafted_by for p in rows} | {p.published_by for p in rows}
    open_freezes = list(freezes(place, actor).filter(lifted_at=None).order_by("-starts_at")[:20])
    return PolicyPage(
        current=current,
        gates=gate_titles(current),
        drafts=[p for p in rows if p.state == "draft"],
        history=rows,
        freezes=open_freezes,
        names=people_names(people | {f.created_by for f in open_freezes}),
        source=source or (current.source if current else ""),
        plans=drawn(own_presets(place)),
        signing=_signing(rows, current, actor, place),
    )


def _signing(
    rows: list[PolicyRevision], current: PolicyRevision | None, actor: Actor, place: Environment
) -> dict[int, Signing]:
    in_force = current.document if current else {}
    base = f"projects/{place.project.slug}/environments/{place.name}/policies"
    found = {
        row.number: signing(
            actor,
            place.name,
            f"{base}/{row.number}/challenge",
            "passkey",
            demanded=demanded(in_force, row.document),
        )
        for row in rows
        if row.state == "draft"
    }
    return {number: how for number, how in found.items() if how is not None}
