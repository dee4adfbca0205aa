"""Environments with the policy in force, as lists show them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from django.contrib.postgres.expressions import ArraySubquery
from django.db.models import Count

from apps.console.queries.offered_targets import with_targets
from apps.console.queries.page_parts import counted, no_role
from apps.console.queries.paging import keyed
from apps.governance import break_glass, passing_over
from apps.governance.gates import GATES
from apps.governance.gates.facts import FreezeFact
from apps.governance.models import Environment, PolicyRevision
from apps.governance.queries.deciders import with_deciders
from apps.governance.queries.facts import freeze_facts, freezes_of
from apps.governance.rules import PolicyState
from apps.identity.models import Project
from apps.identity.queries import visible
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
    freezes: Sequence[FreezeFact] = ()  # those that are not lifted

    @property
    def gate_count(self) -> str:
        """How many gates there are, where there is no room for their titles."""
        return counted(len(self.gates), "gate") if self.gates else ""

    @property
    def draft_count(self) -> str:
        """How many drafts wait."""
        return counted(self.drafts, "draft") if self.drafts else ""

    @property
    def freeze_does(self) -> str:
        """What a freeze does here."""
        return what_a_freeze_does(self.policy)

    @property
    def passes_nothing(self) -> bool:
        """Whether there is no policy, as far as the reader may know."""
        return self.policy is None and self.readable


def gate_titles(policy: PolicyRevision | None) -> list[str]:
    """Return the gates of a policy as sentences."""
    return [title for title, _ in asked_for(policy)] if policy else []


def asked_for(policy: PolicyRevision) -> list[tuple[str, Mapping[str, Any]]]:
    """Return what a policy asks for, each as a sentence and as it is written."""
    gates = policy.document["gates"]
    asked = [(GATES[g["gate"]].title(g), g) for g in gates if g["gate"] in GATES]
    if terms := policy.document.get("break_glass"):
        asked.append((break_glass.title(terms), terms))
    if passing_over.MEMBER in policy.document:
        asked.append((passing_over.TITLES[policy.passing_over], {}))
    return asked


def what_a_freeze_does(policy: PolicyRevision | None) -> str:
    """Say what a freeze does under the policy in force: its gate alone keeps anything from
    starting."""
    if policy is None:  # or its reader may not see it
        return "Where the policy has the gate “freeze”, no rollouts can start until it ends."
    if not any(gate["gate"] == "freeze" for gate in policy.document["gates"]):
        return f"Policy r{policy.number} has no gate “freeze”: rollouts start all the same."
    terms = policy.document.get("break_glass") or {}
    skips = ", but by an emergency release" if "freeze" in terms.get("skip", ()) else ""
    return f"No rollouts can start here until the freeze ends{skips}."


def none_seen(actor: Actor) -> str:
    """Say why the reader sees no environment."""
    if actor.grants:
        return "Each project starts with development, staging and production."
    return no_role(actor)


def policy_list_page(
    actor: Actor, *, project: str = "", after: str = ""
) -> tuple[list[PolicyRow], str]:
    """Return the environments of one page of projects, and the project to go on after."""
    visible_projects = visible(Project.objects.all(), actor, project="pk")
    if project:
        visible_projects = visible_projects.filter(slug=project)
    projects, key = keyed(visible_projects, ("slug",), after)
    return policy_rows(projects, actor), key


def policy_rows(
    projects: Sequence[Project], actor: Actor, *, to_request: bool = False
) -> list[PolicyRow]:
    """Return every environment the actor may see, with its policy in force; for who requests a
    release with who decides there and the targets, for others with how many drafts there are."""
    seen = visible(
        Environment.objects.filter(project__in=projects).select_related("project"), actor
    )
    seen = with_targets(with_deciders(seen), actor) if to_request else seen
    seen = seen.annotate(frozen_by=ArraySubquery(freezes_of("pk")))
    environments: Sequence[Any] = list(seen.order_by("project__name", "position"))
    written = visible(
        PolicyRevision.objects.filter(environment__in=environments), actor, view="policy.view"
    )
    newest = written.filter(state=PolicyState.PUBLISHED).order_by("environment_id", "-number")
    current = {policy.environment_id: policy for policy in newest.distinct("environment_id")}
    counted = (
        written.filter(state=PolicyState.DRAFT).values("environment_id").order_by("environment_id")
    )
    per_environment = counted.annotate(count=Count("pk")).values_list("environment_id", "count")
    drafts = {} if to_request else dict(per_environment)
    freezes = {row.pk: freeze_facts(row.frozen_by) for row in environments}
    return [
        PolicyRow(
            environment,
            current.get(environment.pk),
            gate_titles(current.get(environment.pk)),
            drafts.get(environment.pk, 0),
            any(f.lasts(now()) for f in freezes[environment.pk]),
            actor.can("policy.view", Scope(environment.project_id, environment.name)),
            freezes[environment.pk],
        )
        for environment in environments
    ]
