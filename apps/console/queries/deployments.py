"""What served at an instant, by whose approval, as the page shows it."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cached_property

from django.urls import reverse

from apps.assurance.queries.as_of import (
    Deployment,
    ServedRevision,
    deployments,
    endpoints_ever,
    instant_of,
    with_stops,
)
from apps.console.charts import Timespans, timespans
from apps.console.queries.page_parts import Link, without_role
from apps.console.queries.paging import keyed
from apps.console.templatetags.placet import number
from apps.monitoring.models import Alert, AlertKind
from apps.monitoring.queries import visible_alerts
from apps.serving.queries import EndpointStatus, statuses_of
from placet.kernel.actor import Actor, Scope
from placet.kernel.problems import InvalidInput

HISTORY = timedelta(days=30)
ANSWERS = {
    "starting": "starting: nothing answers yet",
    "down": "no replica answers",
    "unknown": "its node is silent",
}
UNANSWERED = (AlertKind.REPLICAS, AlertKind.STABLE_DOWN)
ORDER = ("project__slug", "environment", "name", "pk")


def serves(status: EndpointStatus) -> str:
    """Say of what has a share of the requests still whether anything answers there."""
    if status.unreached:
        return "nobody can reach it"
    return ANSWERS.get(status.health, "serves still")


@dataclass(frozen=True, slots=True)
class ApprovalRow:
    """Who approved it, as what, and where the log says so ('' where the reader may not look)."""

    who: str
    role: str
    at: datetime
    url: str
    recalled_since: bool = False


@dataclass(frozen=True, slots=True)
class ServedRow:
    """A revision that served then."""

    revision: ServedRevision
    place: Scope
    slug: str
    actor: Actor
    serves: str  # where it has its share still: whether anything answers

    @property
    def runs(self) -> str:
        """The version, as people call it."""
        row = self.revision.approved
        return f"{row.model}:{row.version}" if row.model else "a version that cannot be named"

    @property
    def version_url(self) -> str:
        """Where the version is read, '' without a name."""
        row = self.revision.approved
        if not row.model:
            return ""
        return reverse("version", args=[self.slug, row.model, row.version])

    @property
    def share(self) -> str:
        """What it got of the requests, in words."""
        share = self.revision.service.share
        parts = [f"{number(share.weight / 100)}%"] if share.weight else []
        if share.header:
            parts.append(f"requests with {share.header}")
        if share.copies:
            parts.append(f"copies of {number(share.copies / 100)}%, responses discarded")
        return ", ".join(parts)

    @property
    def begins(self) -> str:
        """When its share began; where that was a start of the endpoint, replicas answered later."""
        period = self.revision.service.period
        return f"{'started' if period.started else 'since'} {period.begin.at:%Y-%m-%d %H:%M:%S}"

    @property
    def ends(self) -> str:
        """When its share ended, else whether anything answers."""
        end = self.revision.service.period.end
        return f"until {end.at:%Y-%m-%d %H:%M:%S}" if end else self.serves

    @property
    def around(self) -> list[str]:
        """Since when and until when it served at all, where it had other shares too."""
        service, words = self.revision.service, []
        if service.begin != service.period.begin:
            words.append(f"other shares since {service.begin.at:%Y-%m-%d %H:%M:%S}")
        if service.end is None and service.period.end:
            words.append("with another share it serves still")
        elif service.end and service.end != service.period.end:
            words.append(f"other shares until {service.end.at:%Y-%m-%d %H:%M:%S}")
        return words

    @property
    def policy_url(self) -> str:
        """Where that revision of the policy is read, '' where the reader may not look."""
        if not self.actor.can("policy.view", self.place):
            return ""
        number = self.revision.approved.policy
        return reverse("policy", args=[self.slug, self.place.environment, number])

    @property
    def approvals(self) -> list[ApprovalRow]:
        """Who let it run."""
        return [
            ApprovalRow(
                one.name,
                f"{one.role}, in an emergency" if one.emergency else one.role,
                one.at,
                self._event(one.event),
                one.recalled_since,
            )
            for one in self.revision.approved.approvals
        ]

    @property
    def links(self) -> list[Link]:
        """Where the proof is."""
        row = self.revision.approved
        links = []
        if row.release and self.actor.can("release.view", self.place):
            bundle = reverse("api-releases-bundle", args=[row.release])
            permit = reverse("api-releases-permit", args=[row.release])
            links = [Link(f"Release {row.number}", reverse("release", args=[row.release]))]
            if self.actor.can("audit.export", self.place):
                links.append(Link("evidence bundle", bundle, download=True))
                verifier = reverse("api-verifier-page")
                links.append(Link("offline verifier for it", verifier, download=True))
            links.append(Link("permit", permit))
        return [*links, *self._moments]

    @property
    def _moments(self) -> list[Link]:
        """Where the log says when its share began and ended, and the others that it had."""
        service, period, links = self.revision.service, self.revision.service.period, []
        ways = ("began", period.begin, service.begin), ("ended", period.end, service.end)
        for verb, own, whole in ways:
            others = [] if whole == own else [(whole, "other shares")]
            for moment, what in [(own, "this share" if others else "it"), *others]:
                if moment and (url := self._event(moment.index)):
                    links.append(Link(f"event {number(moment.index)}: {what} {verb}", url))
        return links

    def _event(self, index: int | None) -> str:
        if index is None or not self.actor.can("audit.view", self.place):
            return ""
        return reverse("audit-event", args=[index])


@dataclass(frozen=True, slots=True)
class DeploymentRow:
    """An endpoint at the instant."""

    deployment: Deployment
    actor: Actor
    serves: str = ""
    alerts: Sequence[Alert] = ()  # that were open then, about nobody getting an answer there

    @property
    def served(self) -> list[ServedRow]:
        """What served there, the largest share first."""
        endpoint = self.deployment.endpoint
        place = Scope(endpoint.project_id, endpoint.environment)
        return [
            ServedRow(row, place, endpoint.project.slug, self.actor, self.serves)
            for row in self.deployment.revisions
        ]

    @property
    def stop_url(self) -> str:
        """Where the log says so, '' where the reader may not look."""
        stop, endpoint = self.deployment.stopped, self.deployment.endpoint
        place = Scope(endpoint.project_id, endpoint.environment)
        if stop is None or not self.actor.can("audit.view", place):
            return ""
        return reverse("audit-event", args=[stop.moment.index])

    @property
    def spans(self) -> Timespans:
        """When each revision served in the time before."""
        row = self.deployment
        return timespans(row.history, row.at - HISTORY, row.at)


@dataclass(frozen=True)
class DeploymentListPage:
    """One page of what served where at an instant."""

    found: list[Deployment]
    at: datetime | None
    typed: str
    fault: str
    actor: Actor
    project: str = ""
    environment: str = ""

    @cached_property
    def serves(self) -> dict[str, str]:
        """Whether anything answers at each endpoint, as its node says: today's, for every page."""
        found = statuses_of([row.endpoint for row in self.found])
        return {row.endpoint.pk: serves(row) for row in found}

    @cached_property
    def alerts(self) -> dict[str, list[Alert]]:
        """The alerts by endpoint which said at a past instant that requests got no answer there, as
        far as the reader sees them: what a node said of that then is kept nowhere else."""
        if not (self.typed and self.at):
            return {}
        about = visible_alerts(self.actor).filter(
            kind__in=UNANSWERED, endpoint__in=[row.endpoint for row in self.found]
        )
        found: dict[str, list[Alert]] = {}
        open_then = about.filter(opened_at__lte=self.at).exclude(resolved_at__lte=self.at)
        for alert in open_then.order_by("opened_at", "pk"):
            found.setdefault(str(alert.endpoint_id), []).append(alert)
        return found

    @cached_property
    def rows(self) -> list[DeploymentRow]:
        """Every endpoint that there was at the instant."""
        return [
            DeploymentRow(
                row,
                self.actor,
                self.serves[row.endpoint.pk],
                self.alerts.get(row.endpoint.pk, ()),
            )
            for row in self.found
            if row.state not in ("", "deleted")
        ]

    @property
    def history(self) -> list[DeploymentRow]:
        """Every endpoint behind which something served in the time before."""
        return [DeploymentRow(row, self.actor) for row in self.found if row.history]

    @property
    def nothing(self) -> str:
        """What is said where there was no endpoint at the instant."""
        there = " there" if self.project or self.environment else ""
        if not self.typed:
            return f"No endpoint that you may see exists{there} now"
        return f"No endpoint that you may see existed{there} then"

    @property
    def other(self) -> str:
        """Which other instant may say more."""
        return "Choose another time" if self.typed else "Choose an earlier time"

    @property
    def why(self) -> str:
        """Why the reader sees none at any time, where no role of theirs counts."""
        return without_role(self.actor)

    @property
    def value(self) -> str:
        """The instant as the field holds it."""
        return f"{self.at:%Y-%m-%dT%H:%M:%S}" if self.at else self.typed

    @property
    def narrowed(self) -> str:
        """What it was narrowed to, in words."""
        parts = [f"at {self.at:%Y-%m-%d %H:%M:%S} UTC"] if self.typed and self.at else []
        parts += [f"project {self.project}"] if self.project else []
        parts += [f"environment {self.environment}"] if self.environment else []
        return ", ".join(parts) or "none"

    @property
    def since(self) -> datetime | None:
        """When the time begins whose history is drawn."""
        return self.at - HISTORY if self.at else None


def deployment_list_page(
    actor: Actor, *, typed: str = "", project: str = "", environment: str = "", after: str = ""
) -> tuple[DeploymentListPage, str]:
    """Return one page of what served at the instant that was ``typed``, and the key to go on
    after; nothing but what is wrong with it where it is none."""
    try:
        at = instant_of(typed)
    except InvalidInput as refusal:
        return DeploymentListPage([], None, typed, refusal.errors[0].detail, actor), ""
    rows, key = keyed(endpoints_ever(actor, project=project, environment=environment), ORDER, after)
    found = with_stops(deployments(rows, at, since=at - HISTORY), actor)
    return DeploymentListPage(found, at, typed, "", actor, project, environment), key
