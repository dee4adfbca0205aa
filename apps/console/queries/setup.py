"""What a new installation still lacks, as a list of points on the home page, and who does each."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from django.db.models import Exists, F, Q, QuerySet, Subquery
from django.urls import reverse

from apps.builds.actions.samples import JOB
from apps.builds.samples import SLUG
from apps.console.queries.page_parts import in_a_row
from apps.governance.models import Decision, PolicyRevision, Release
from apps.governance.rules import ROLE_OF, PolicyState, ReleaseState
from apps.identity.models import Project, RoleBinding, User
from apps.identity.queries import visible
from apps.identity.rules.permissions import roles_with
from apps.jobs.models import Job, JobState
from apps.registry.models import ModelVersion, VersionState
from apps.serving.models import HEARD_AT, Node
from apps.serving.queries import visible_targets
from apps.serving.rules import ALIVE_SECONDS
from placet.kernel.actor import Actor
from placet.kernel.clock import now
from placet.kernel.config import config

UNDER_WAY = (JobState.QUEUED, JobState.RUNNING)
SERVED = (ReleaseState.LIVE, ReleaseState.SUPERSEDED, ReleaseState.ROLLED_BACK)


@dataclass(frozen=True, slots=True)
class SetupPoint:
    """One thing to do, the page where it is done, and the permissions of which one is enough."""

    name: str
    title: str
    hint: str
    page: str
    view: str
    permissions: tuple[str, ...]
    everywhere: bool = False  # the permission is asked for in the whole installation

    @property
    def who(self) -> str:
        """The roles that do it."""
        roles = (role for each in self.permissions for role in roles_with(each))
        return in_a_row([*dict.fromkeys(roles)], "or")


POINTS = (
    SetupPoint(
        "people",
        "Add people and give them roles",
        "Nobody approves their own request: it takes two.",
        "Administration",
        "administration",
        ("access.manage",),
        everywhere=True,
    ),
    SetupPoint(
        "policy",
        "Make a project",
        "It starts with a policy: internal, customer-facing or regulated.",
        "Projects",
        "projects",
        ("project.create",),
    ),
    SetupPoint(
        "node",
        "Have a node online",
        "A host with the agent, on which models run.",
        "Nodes",
        "targets",
        ("target.manage",),
    ),
    SetupPoint(
        "version",
        "Register a first model version",
        "In the browser, on the command line, or as sample data.",
        "Register in the browser",
        "models",
        ("model.create",),
    ),
    SetupPoint(
        "release",
        "Request a release",
        "On the page of a version that is built.",
        "Models",
        "models",
        ("release.request",),
    ),
    SetupPoint(
        "approval",
        "Have a second person approve it",
        "Their decision is signed over exactly what will run.",
        "Releases",
        "releases",
        tuple(ROLE_OF),
    ),
    SetupPoint(
        "live",
        "See it live",
        "It goes out once it is approved: at once, or as a canary that is watched.",
        "Releases",
        "releases",
        ("rollout.start",),
    ),
)


@dataclass(frozen=True, slots=True)
class SetupRow:
    """A point as the reader sees it."""

    point: SetupPoint
    done: bool
    url: str  # '' where they may not do it
    is_next: bool = False


@dataclass(frozen=True, slots=True)
class SetupList:
    """The points in their order, for a reader, by what was found."""

    actor: Actor
    found: Mapping[str, Any]

    @property
    def rows(self) -> list[SetupRow]:
        """Every point; the first that the reader can do leads on."""
        leads = next((p.name for p in POINTS if self._is_mine(p)), "")
        return [SetupRow(p, self.found[p.name], self._url(p), p.name == leads) for p in POINTS]

    @property
    def done(self) -> int:
        """How many points are done."""
        return sum(self.found[point.name] for point in POINTS)

    @property
    def state(self) -> str:
        """What the list shows, in a word: another one is another list."""
        digits = "".join(str(int(self.found[point.name])) for point in POINTS)
        return f"{digits}s" if self.found["loading"] else digits

    @property
    def total(self) -> int:
        """How many points there are."""
        return len(POINTS)

    @property
    def is_done(self) -> bool:
        """Whether every point is done."""
        return self.done == self.total

    @property
    def is_shown(self) -> bool:
        """Whether there is an open point that the reader can do; who sets the installation up
        keeps it until something is live, also while others are to go on."""
        keeps = self.actor.can("project.create") and not self.found["live"]
        return keeps or any(self._is_mine(point) for point in POINTS)

    @property
    def registers(self) -> bool:
        """Whether the commands are for the reader."""
        return self.actor.can_somewhere("model.create")

    @property
    def may_load(self) -> bool:
        """Whether the reader may load sample data, where there is no version yet."""
        return self.actor.can("project.create") and not self.found["version"]

    @property
    def is_loading(self) -> bool:
        """Whether sample data is being registered, of which no version is there yet."""
        return self.found["loading"] and not self.found["version"]

    @property
    def commands(self) -> str:
        """What registers a model and asks for its release at a prompt."""
        place = self.found["place"] or "PROJECT"
        return (
            f"placet login {config().public_url}\n"
            f"placet model register --project {place} --name NAME --from FOLDER --build --wait\n"
            f"placet release request {place}/NAME:1 --environment staging --wait"
        )

    def _is_mine(self, point: SetupPoint) -> bool:
        return not self.found[point.name] and bool(self._url(point))

    def _url(self, point: SetupPoint) -> str:
        asked = self.actor.can if point.everywhere else self.actor.can_somewhere
        may = any(map(asked, point.permissions))
        return reverse(point.view) if may else ""


def setup_list(actor: Actor) -> SetupList:
    """Return the list for ``actor``, in one query.

    Who may make projects sets the installation up, and is told of each point whether it is done
    anywhere; everybody else of the projects that they see.
    """
    others = User.objects.filter(is_active=True).exclude(pk=actor.id)
    roles = Q(person__in=others) | Q(team__memberships__person__in=others)
    alive = now() - timedelta(seconds=ALIVE_SECONDS)
    published = PolicyRevision.objects.filter(state=PolicyState.PUBLISHED)
    finalised = ModelVersion.objects.filter(state=VersionState.FINALISED)
    approved = Decision.objects.filter(verdict="approve", voided_reason="")
    by_another = approved.exclude(person=F("release__requester"))
    served = Release.objects.filter(state__in=SERVED)
    own = visible(Project.objects.order_by("pk"), actor, view="model.create", project="pk")
    nodes = Node.objects.alias(heard=HEARD_AT).filter(heard__gt=alive)
    projects = Project.objects.all()
    if not actor.can("project.create"):
        nodes = nodes.filter(target__in=visible_targets(actor))
        projects = visible(projects, actor, project="pk")
    found = {
        "people": Exists(_told(RoleBinding.objects.filter(roles), actor, "project.view")),
        "policy": Exists(_told(published, actor, "policy.view")),
        "node": Exists(nodes),
        "version": Exists(_told(finalised, actor, "version.view")),
        "release": Exists(_told(Release.objects.all(), actor, "release.view")),
        "approval": Exists(_told(by_another, actor, "release.view")),
        "live": Exists(_told(served, actor, "release.view")),
        "loading": Exists(
            Job.objects.filter(
                kind=JOB, state__in=UNDER_WAY, project__in=projects.filter(slug=SLUG).values("pk")
            )
        ),
        "place": Subquery(own.values("slug")[:1]),
    }
    return SetupList(actor, User.objects.filter(pk=actor.id).values(**found).get())


def _told(rows: QuerySet[Any], actor: Actor, view: str) -> QuerySet[Any]:
    return rows if actor.can("project.create") else visible(rows, actor, view=view)
