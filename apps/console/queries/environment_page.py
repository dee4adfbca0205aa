"""The page of one environment of a project."""

from collections.abc import Sequence
from dataclasses import dataclass

from django.urls import reverse

from apps.console.queries.endpoints import EndpointRow, endpoint_rows, with_sparklines, with_use
from apps.console.queries.links import sees
from apps.console.queries.page_parts import Link, counted, for_members
from apps.console.queries.policies import gate_titles, what_a_freeze_does
from apps.console.queries.policy_trial import AskedPolicy, lacking
from apps.console.queries.promotions import (
    PromotionSetting,
    promotion_setting,
    with_setting,
)
from apps.governance.models import Environment, Freeze, PolicyRevision
from apps.governance.queries.deciders import RoleHolders, asked_deciders, with_deciders
from apps.governance.queries.freezes import freezes, in_force
from apps.governance.queries.visible_rows import policies
from apps.governance.rules import PolicyState
from apps.identity.queries import scope_of, visible
from apps.serving.models import Target
from apps.serving.queries import visible_endpoints, visible_targets
from placet.kernel.actor import Actor
from placet.kernel.clock import now
from placet.kernel.problems import NotFound

SHOWN = 50  # endpoints


@dataclass(frozen=True, slots=True)
class EnvironmentPage:
    """Everything the page of an environment shows."""

    environment: Environment
    actor: Actor
    policy: PolicyRevision | None
    freezes: Sequence[Freeze]
    targets: Sequence[Target]
    endpoints: Sequence[EndpointRow]
    promotion: PromotionSetting
    shortages: Sequence[str] = ()  # why nobody can meet its policy, as roles are held now

    @property
    def gates(self) -> list[str]:
        """What the policy in force asks, gate by gate."""
        return gate_titles(self.policy)

    @property
    def freeze_does(self) -> str:
        """What a freeze does here."""
        return what_a_freeze_does(self.policy)

    @property
    def no_policy(self) -> str:
        """Why no policy stands here, '' where one does."""
        if self.policy:
            return ""
        none = "No active policy: nothing can be released."
        told = sees(self.environment, "policy.view", self.actor)
        return none if told else f"{for_members('The policy is')}."

    @property
    def no_endpoints(self) -> str:
        """Why no endpoint stands here."""
        if sees(self.environment, "endpoint.view", self.actor):
            return "No endpoints."
        return f"{for_members('Endpoints are')}."

    @property
    def when_recalled(self) -> str:
        """What an endpoint does when what is live there is recalled."""
        falls_back = self.environment.on_recall == "fall_back"
        if not falls_back:
            return "endpoints stop"
        return (
            "endpoints fall back to the last revision there that was neither rolled back nor "
            "recalled, and stop where there is none"
        )

    @property
    def when_expired(self) -> str:
        """What a node does past the end of its signed state."""
        return (
            "nodes keep serving" if self.environment.on_state_expired == "serve" else "nodes stop"
        )

    @property
    def when_asked(self) -> str:
        """Within how many days who is asked by name to review a release is to answer."""
        days = self.environment.review_days
        if days is None:
            return "no due date, unless whoever asks gives one"
        return f"due in {counted(days, 'day')}, unless whoever asks says otherwise"

    @property
    def may_manage(self) -> bool:
        """Whether the reader may change the environment."""
        return self.actor.can("environment.manage", scope_of(self.environment))

    @property
    def deciders(self) -> list[RoleHolders]:
        """Who decides here by the policy in force, role by role."""
        return asked_deciders(self.environment, self.actor)

    @property
    def links(self) -> list[Link]:
        """Where one reads more about who decides, and by what."""
        secrets = reverse("secrets", args=[self._slug, self.environment.name])
        members = Link("Members of the project", reverse("members", args=[self._slug]))
        links = [Link("Secrets", secrets), members]
        if self.policy:
            url = reverse("policies", args=[self._slug, self.environment.name])
            links.append(Link("Policy and history", url))
        if self.actor.can_somewhere("access.view"):
            anchor = f"#duty-{self.environment.pk}"
            links.append(Link("Separation of duties", reverse("duties") + anchor))
        return links

    @property
    def _slug(self) -> str:
        return self.environment.project.slug


def environment_page(project: str, name: str, actor: Actor) -> EnvironmentPage:
    """Return what the page of an environment shows, or raise ``NotFound``."""
    rows = Environment.objects.filter(project__slug=project, name=name)
    row = with_deciders(visible(with_setting(rows), actor)).first()
    if row is None:
        raise NotFound
    published = policies(row, actor).filter(state=PolicyState.PUBLISHED).order_by("-number")
    frozen = freezes(row, actor).filter(in_force(now()))
    found = visible_endpoints(actor).filter(project=row.project_id, environment=row.name)
    policy = published.first()
    said = policy and lacking([AskedPolicy.of(policy)], row, actor)
    return EnvironmentPage(
        environment=row,
        actor=actor,
        policy=policy,
        freezes=list(frozen.order_by("-starts_at")),
        targets=list(visible_targets(actor).filter(environments=row).order_by("name")),
        endpoints=with_sparklines(endpoint_rows(list(with_use(found).order_by("name")[:SHOWN]))),
        promotion=promotion_setting(row, actor),
        shortages=said[0] if said else (),
    )
