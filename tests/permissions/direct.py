"""Questions put straight to actions and queries, past the route that would have refused before.

Each page and operation looks up what it is about in the name of whoever asks; what it calls then
must not rely on that. And a page shows nobody a button or a menu entry that would be refused.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from types import SimpleNamespace
from typing import Any

from django.db import transaction
from django.db.models import QuerySet

from apps.assurance.actions import lift, lift_hold, place_hold, set_retention
from apps.assurance.actions.reporting import report_of
from apps.assurance.models import Recall, RecallEffect
from apps.assurance.queries import RecallSubject, foresee, voided_by_each, voided_seen
from apps.assurance.queries.called import NameFinder
from apps.assurance.queries.events_of_recalls import made_by_hidden
from apps.assurance.queries.named_items import named_person
from apps.assurance.queries.retention import (
    get_archive,
    retention,
    visible_archives,
    visible_holds,
)
from apps.assurance.rules import IN_PROJECT
from apps.audit.actions.cosigning import forget_log, witness_log
from apps.audit.actions.erasure import erase_texts
from apps.audit.actions.export import export_folder
from apps.audit.actions.witnesses import add_witness, remove_witness
from apps.audit.models import ArchivedLeaf, Event
from apps.audit.queries.archived import archive_of
from apps.audit.queries.events import timeline
from apps.audit.queries.filtering import causes
from apps.audit.queries.witnesses import witnessed_logs_visible, witnesses_visible
from apps.builds.actions import request_samples
from apps.builds.models import Build
from apps.console.queries.activity import activity_page
from apps.console.queries.discussed import thing
from apps.console.queries.empty_lists import empty_list
from apps.console.queries.environment_page import EnvironmentPage, environment_page
from apps.console.queries.events import people_in
from apps.console.queries.exports import TABLES
from apps.console.queries.links import person_url, project_url, sees_access
from apps.console.queries.members import members_page
from apps.console.queries.models import projects_of
from apps.console.queries.object_names import object_names
from apps.console.queries.paging import PAGE
from apps.console.queries.passkeys import PasskeyRow, passkey_list_page
from apps.console.queries.people import offered_people
from apps.console.queries.person_page import person_page
from apps.console.queries.policies import policy_list_page, policy_rows
from apps.console.queries.project_page import environments_in_force, project_page
from apps.console.queries.project_settings import settings_page
from apps.console.queries.projects import project_list_page
from apps.console.queries.recall_form import recall_form, same_files
from apps.console.queries.recalls import recall_page
from apps.console.queries.release_behaviour import release_behaviour_page
from apps.console.queries.release_reviewers import ReviewersCard
from apps.console.queries.release_rows import ReleaseRow, environment_choices
from apps.console.queries.releases import request_choices
from apps.console.queries.retention import retention_page
from apps.console.queries.rollout_words import with_last_words
from apps.console.queries.search import described, search
from apps.console.queries.search_terms import wanted
from apps.console.queries.setup import SetupList, setup_list
from apps.console.queries.targets import target_rows, uses_of_all
from apps.console.queries.webhooks import DeliveryPage, delivery_page
from apps.console.views.asking import ask_first
from apps.console.views.audit import shown_others
from apps.console.views.people import place_of
from apps.discussions.actions import open_thread
from apps.discussions.hooks import Subject
from apps.discussions.queries import get_subject
from apps.governance.actions import (
    begin_rollout,
    comment,
    confirm_break_glass,
    create_environment,
    decide,
    draft_policy,
    end_break_glass,
    lift_freeze,
    open_break_glass,
    publish_policy,
    request_release,
    review_break_glass,
    update_environment,
    withdraw_changes,
)
from apps.governance.actions.bundle import release_bundle
from apps.governance.actions.duties import describe_path
from apps.governance.duties import ShortestPath
from apps.governance.models import (
    BreakGlass,
    Decision,
    Environment,
    Freeze,
    PolicyRevision,
    Release,
)
from apps.governance.queries import break_glass, visible_rows
from apps.governance.queries.deciders import deciders, with_deciders
from apps.governance.queries.duties import visible_duties
from apps.governance.queries.freezes import freezes
from apps.governance.queries.lockouts import Lockouts
from apps.governance.queries.organisation import look
from apps.governance.queries.release_detail import release_view
from apps.governance.queries.requested_changes import releases_to_change
from apps.governance.queries.sharing import shared_last
from apps.governance.queries.standstill import standstill
from apps.identity import actions as access
from apps.identity.actions.idempotency import StoredResponse
from apps.identity.api.lookups import named_project
from apps.identity.errors import OwnAccess, Reauthenticate
from apps.identity.hooks import roles_told
from apps.identity.meant import subject_for
from apps.identity.middleware.idempotency import RIGHTS, rights, shown_again
from apps.identity.models import (
    ApiToken,
    ApproverPasskey,
    Project,
    RoleBinding,
    ServiceAccount,
    Team,
    User,
)
from apps.identity.queries import scope_of, visible_passkeys
from apps.identity.trust.second_factor import may_learn_what_lacks
from apps.integrations import actions as streams
from apps.integrations.models import Stream, Webhook
from apps.integrations.queries import (
    reads_answers,
    visible_deliveries,
    visible_streams,
    visible_webhooks,
)
from apps.integrations.rules import StreamTerms, WebhookTerms
from apps.jobs.actions import enqueue
from apps.jobs.queries import jobs_visible
from apps.monitoring.actions import open_alert, remove_objective, set_objective
from apps.monitoring.actions.alerts import AlertFinding
from apps.monitoring.models import Alert, AlertKind, Objective
from apps.monitoring.rules import ObjectiveTerms
from apps.notices.actions import choose, watch_project, watch_release
from apps.notices.errors import NarrowToken
from apps.notices.models import Preference, Watch
from apps.notices.queries import own_watches, project_preferences
from apps.registry import actions as registered
from apps.registry import queries as registry
from apps.registry.models import (
    Declaration,
    ModelVersion,
    RegisteredModel,
    SigningKey,
    Upload,
)
from apps.registry.provenance import declarations
from apps.rollouts.actions import promote, ship, unschedule_drills
from apps.rollouts.attempts import Attempt, attempts_before, with_attempts
from apps.rollouts.models import Rollout
from apps.rollouts.queries import awaiting_person, may_ship
from apps.serving.actions import (
    allow_use,
    create_endpoint,
    delete_endpoint,
    issue_endpoint_key,
    issue_join_token,
    require_api_key,
    set_secret,
    update_target,
)
from apps.serving.api.targets import target_body
from apps.serving.models import Endpoint, Node, Revision, Target
from apps.serving.queries import uses_of
from placet.kernel.actor import INSTANCE, SYSTEM, Actor, Grant, Scope
from placet.kernel.clock import now
from placet.kernel.config import ROOT
from placet.kernel.keystore import ring
from placet.kernel.problems import (
    Forbidden,
    InvalidInput,
    NeedsPermission,
    NotFound,
    Problem,
)
from tests.permissions.world import World
from tests.support.database import owning_tables
from tests.support.enrolment import authenticator, enrolled_by_root
from tests.support.factories import actor_of, browser, grow_old
from tests.support.world import OPEN

Refusal = type[Problem]


@dataclass(frozen=True, slots=True)
class Direct:
    """One question: who asks, what, and how it is refused (``None``: by finding nothing).

    Who asks has just signed in, unless they are ``stale``.
    """

    name: str
    role: str
    refusal: Refusal | None
    ask: Callable[["Things", Actor], Any]
    stale: bool = False

    def fault(self, world: World) -> str:
        """Ask in a transaction that is undone; return how the answer is not what it must be."""
        actor = actor_of(world.people[self.role])
        actor = replace(actor, authenticated_at=None) if self.stale else actor
        try:
            with transaction.atomic():
                try:
                    found = self.ask(Things(world), actor)
                    found = list(found) if isinstance(found, Iterable) else found
                finally:
                    transaction.set_rollback(True)
        except Problem as problem:
            # of a permission that is lacking, and of nothing else that is forbidden
            kind = Forbidden if type(problem) is NeedsPermission else type(problem)
            right = self.refusal is not None and kind is self.refusal
            return "" if right else f"{self.name} as {self.role}: {problem!r}"
        if self.refusal is None and not found:
            return ""
        return f"{self.name} as {self.role}: not refused: {found!r}"


class Things:
    """The rows of the world that the questions are about."""

    def __init__(self, world: World) -> None:
        value = world.values
        self.world, self.project = world, world.project
        self.person = User.objects.get(pk=value["people/person"])
        self.team = Team.objects.get(pk=value["team"])
        self.account = ServiceAccount.objects.get(pk=value["account"])
        self.binding = RoleBinding.objects.get(pk=value["role"])
        self.token = ApiToken.objects.get(pk=value["token"])
        self.model = RegisteredModel.objects.get(name=value["models/name"])
        self.draft = self.model.versions.get(number=value["versions/number"])
        self.done = self.model.versions.get(number=value["compare/b"])
        self.signing_key = SigningKey.objects.get(pk=value["signing_key"])
        self.upload = Upload.objects.get(pk=value["upload"])
        self.staging = Environment.objects.get(project=self.project, name="staging")
        self.target = Target.objects.get(name=value["targets/name"])
        self.release = Release.objects.get(pk=value["release"])
        self.decided = visible_rows.decision(value["decision"], SYSTEM).release
        self.version = ModelVersion.objects.get(pk=self.release.version_id)

    def watched(self, who: Actor, release: Release | None = None) -> Watch:
        """Something that they watched while they saw it."""
        place = {"project": self.project, "release": release}
        return Watch.objects.create(person_id=who.id, **place, created_at=now())

    def mailed(self, who: Actor) -> Preference:
        """What they chose for the project while they saw it."""
        row = {"project": self.project, "kind": "review", "way": "now"}
        return Preference.objects.create(person_id=who.id, **row)

    @property
    def glass(self) -> BreakGlass:
        """A break-glass that somebody opened."""
        return break_glass.get_break_glass(self.world.values["glass"], SYSTEM)

    @property
    def glass_view(self) -> break_glass.BreakGlassView:
        """The same, with names and texts."""
        return break_glass.break_glass_views([self.glass])[0]

    @property
    def ended(self) -> break_glass.BreakGlassView:
        """The same, after people confirmed it and it ended."""
        BreakGlass.objects.filter(pk=self.world.values["glass"]).update(state="ended")
        return self.glass_view

    @property
    def urgent(self) -> Release:
        """The release that it is for, and no break-glass for it."""
        BreakGlass.objects.filter(pk=self.world.values["glass"]).update(state="lapsed")
        return visible_rows.release(self.glass.release_id, SYSTEM)

    @property
    def reached(self) -> QuerySet[Rollout]:
        """A rollout, after a recall reached what it carries."""
        rows = Rollout.objects.filter(pk=self.held.pk)
        of = {"release": self.held.release, "endpoint": self.held.endpoint}
        at = {"target": self.target, "project": self.project, "action": "revoked"}
        RecallEffect.objects.create(recall_id=self.world.values["recall"], **of, **at)
        return rows

    @property
    def taken_back(self) -> QuerySet[Recall]:
        """A recall of somebody's decisions, which voided one."""
        decision = self.decided.decisions.order_by("pk")[0]
        Decision.objects.filter(pk=decision.pk).update(voided_reason="recalled")
        recall = Recall.objects.create(kind="person", what=decision.person, names={})
        return Recall.objects.filter(pk=recall.pk)

    def opens(self, who: Actor) -> BreakGlass:
        """Have ``who`` open another one."""
        row = self.urgent
        said = {"statement_digest": row.request_digest, "reason": "x"}
        return open_break_glass(row, **said, actor=who)

    def copied(self) -> RecallSubject:
        """A version with just the files of another."""
        first, second = ModelVersion.objects.filter(
            state="finalised", project__slug="risk"
        ).order_by("pk")[:2]
        ModelVersion.objects.filter(pk=second.pk).update(artifact_digest=first.artifact_digest)
        return RecallSubject("version", first.pk)

    def page(self, role: str, path: str) -> str:
        """Return what ``role`` is shown at ``path``."""
        return str(self.world.clients[role].get(path).content.decode())

    @property
    def without_deciders(self) -> bool:
        """Take all roles that decide away."""
        return bool(RoleBinding.objects.filter(role__in=("reviewer", "approver")).delete())

    def after_taking_the_last_approver(self, role: str) -> str:
        """Return what ``role`` is told who takes the only role away that approves."""
        last = self.world.people["approver"]
        RoleBinding.objects.filter(role="approver").exclude(person=last).delete()
        taken = RoleBinding.objects.get(role="approver").pk
        path = f"/people/{last.pk}/roles/{taken}/take"
        answer = self.world.clients[role].post(path, {"next": "/"}, follow=True)
        return str(answer.content.decode())

    @property
    def held(self) -> Rollout:
        """The rollout in development, which somebody holds."""
        rows = Rollout.objects.filter(pk=self.world.values["rollout"])
        rows.update(paused_by=self.person.pk)
        return rows.select_related("endpoint", "release__version").get()

    @property
    def tried(self) -> Release:
        """The release of a rollout in development that was tried once more."""
        again = self.held
        again.pk, again.state, again._state.adding = "rlo_again", "aborted", True
        again.save(force_insert=True)
        return again.release

    def attempts(self, who: Actor) -> Sequence[Attempt]:
        """Read what became of earlier attempts to release the version of that release."""
        row = with_attempts(Release.objects.filter(pk=self.tried.pk), who).get()
        return attempts_before(row, who).rows

    def operator_of_staging(self, who: Actor) -> Actor:
        """Have the rollout in development held; return ``who`` as an operator of staging alone."""
        staging = Scope(self.held.project_id, "staging")
        seen = Grant("rollout.view", Scope(staging.project))
        return replace(who, grants=frozenset({Grant("rollout.operate", staging), seen}))

    def manager_of_staging(self, who: Actor) -> Actor:
        """Return ``who`` as somebody who manages staging alone."""
        staging = Scope(self.project.pk, "staging")
        seen = Grant("project.view", Scope(self.project.pk))
        return replace(who, grants=frozenset({Grant("environment.manage", staging), seen}))

    def blind_operator(self, who: Actor) -> Actor:
        """Have a rollout held; return ``who`` as somebody who may operate it, not see it."""
        grant = Grant("rollout.operate", Scope(self.held.project_id))
        return replace(who, grants=frozenset({grant}))

    def in_staging(self) -> Rollout:
        """The rollout in development, as if people had approved it for staging."""
        rollout = self.held
        Release.objects.filter(pk=rollout.release_id).update(policy=self.release.policy)
        return rollout

    def to_decide(self, who: Actor) -> Decision:
        """Have ``who`` approve the release that waits, in their session."""
        return decide(
            self.release, verdict="approve", statement_digest=self.release.request_digest, actor=who
        )

    def changes_asked(self) -> Decision:
        """Have the reviewer ask for changes to the release that waits, in their session."""
        who, shown = actor_of(self.world.people["reviewer"]), self.release.request_digest
        said = {"verdict": "request_changes", "comment": "x", "statement_digest": shown}
        return decide(self.release, **said, actor=who)

    def to_change(self, who: Actor) -> Actor:
        """Return ``who`` once changes are asked for of what they had asked for."""
        Release.objects.filter(pk=self.changes_asked().release_id).update(requester=who.accountable)
        return who

    def approved(self) -> Release:
        """Return the release that waits in staging, as if somebody had approved it."""
        Release.objects.filter(pk=self.release.pk).update(state="approved")
        return self.release

    def sets_a_password(self, role: str) -> bool:
        """Tell whether a session of ``role`` that is old, and no password, can have a first one."""
        who = User.objects.get(pk=self.world.people[role].pk)
        who.set_unusable_password()
        who.save(update_fields=["password"])
        client = browser(who)
        grow_old(client)
        return bool(client.get("/accounts/password/set/").status_code == 200)

    @property
    def passkey(self) -> ApproverPasskey:
        """One that somebody else offers."""
        return ApproverPasskey.objects.get(pk=self.world.values["passkey"])

    def vouching(self, who: Actor) -> list[PasskeyRow]:
        """Give ``who`` an enrolled passkey and the right to see all; return those offered."""
        enrolled_by_root(User.objects.get(pk=who.id), authenticator())
        seeing = replace(who, grants=who.grants | {Grant("access.view", INSTANCE)})
        return passkey_list_page(seeing).offered

    def told_of_an_objective(self, person: User, who: Actor) -> Objective:
        """Have ``person`` told when the endpoint's objective is not met."""
        row = Objective.objects.select_related("endpoint").earliest("pk")
        return set_objective(
            row.endpoint,
            terms=ObjectiveTerms(availability=0.9),
            owner=person.pk,
            if_generation=row.generation,
            actor=who,
        )

    def opened(self, who: Actor) -> Endpoint:
        """Make an endpoint that needs no key, where one that did was deleted."""
        place: Any = {"environment": "staging", "target": self.release.endpoint.target}
        Endpoint.objects.create(
            project=self.project, name="locked", state="deleted", api_key_required=True, **place
        )
        return create_endpoint(
            self.project, name="locked", api_key_required=False, actor=who, **place
        )

    def with_a_quota(self, who: Actor) -> Project:
        """Set the project's quota as somebody who may edit this project alone."""
        return access.update_project(self.project, artifact_quota=5, actor=self.editor(who))

    def editor(self, who: Actor) -> Actor:
        """Return ``who`` as somebody who may edit this project alone."""
        return replace(who, grants=frozenset({Grant("project.edit", Scope(self.project.pk))}))

    def asked_by(self, who: Actor) -> ReleaseRow:
        """Return the line of the release that waits, as if ``who`` had asked for it."""
        self.release.requester = who.accountable
        return ReleaseRow(self.release, who)

    def looked_at_access(self, who: Actor) -> list[Actor]:
        """Have ``who`` take access from somebody; return whether it was looked at what follows."""
        looked: list[Actor] = []

        def lockouts() -> Lockouts:
            looked.append(who)
            return Lockouts()

        request: Any = SimpleNamespace(POST={}, actor=who)
        ask_first(request, lockouts, title="Remove?", submit="Remove")
        return looked

    def reviewers_of(self, who: Actor) -> ReviewersCard:
        """Return the reviewers of the release that waits, as if ``who`` had asked for it."""
        view = release_view(self.release.pk, who)
        view.release.requester = who.accountable
        return ReviewersCard(view, who)

    def place(self, who: Actor) -> EnvironmentPage:
        """Return what ``who`` is shown of the environment."""
        return environment_page(self.project.slug, self.staging.name, who)

    def after_deciding(self, who: Actor) -> Actor:
        """Have the reviewer decide, and return ``who``."""
        self.to_decide(actor_of(self.world.people["reviewer"]))
        return who

    def many_projects(self) -> None:
        """Have more projects than a page holds."""
        names = [f"many-{number}" for number in range(PAGE + 1)]
        Project.objects.bulk_create([Project(slug=name, name=name) for name in names])

    def alert(self, who: Actor) -> Alert | None:
        """Open an alert about the endpoint."""
        place = self.held.endpoint
        return open_alert(AlertFinding(AlertKind.OBJECTIVE, place.pk, "x", "x", place), actor=who)

    @property
    def stream(self) -> Stream:
        """A stream of the whole log, which was blocked."""
        return Stream.objects.get(pk=self.world.values["stream"])

    def partly(self, who: Actor, *permissions: str, where: str = "staging") -> Actor:
        """Return who holds these in one environment of the project alone, or in all of it."""
        scope = Scope(self.project.pk, where or None)
        return replace(who, grants=frozenset(Grant(one, scope) for one in permissions))

    def asked_with_secret(self, who: Actor) -> Release:
        """Request a release that is to have a secret of its environment."""
        return request_release(
            version=self.version,
            endpoint="fresh",
            environment=self.staging,
            target=self.target,
            serving={"secrets": {"DB": "db"}},
            actor=who,
        )

    def streams_seen(self, who: Actor) -> list[Any]:
        """Return the streams and webhooks of the project that somebody sees."""
        self.streamed(SYSTEM, self.project)
        self.hooked(SYSTEM, self.project)
        return [*visible_streams(who), *visible_webhooks(who)]

    def calls_seen(self, who: Actor) -> list[Any]:
        """Return the jobs of webhooks of the project that somebody sees."""
        enqueue("integrations.call", key="any", project=self.project.pk)
        return [job for job in jobs_visible(who) if job.kind == "integrations.call"]

    def streamed(self, who: Actor, project: Project | None = None) -> Stream:
        """Add a stream."""
        terms = StreamTerms("jsonl", "https://siem.example/in")
        return streams.add_stream(name="mine", terms=terms, project=project, actor=who)

    @property
    def webhook(self) -> Webhook:
        """A webhook of the instance, which was disabled."""
        return Webhook.objects.get(pk=self.world.values["webhook"])

    def hooked(self, who: Actor, project: Project | None = None) -> Webhook:
        """Add a webhook."""
        terms = WebhookTerms("https://hooks.example/in")
        return streams.add_webhook(name="mine", terms=terms, project=project, actor=who).webhook

    def enabled(self, who: Actor) -> Webhook:
        """Enable the webhook as it is."""
        hook = self.webhook
        return streams.enable_webhook(hook, if_generation=hook.generation, actor=who)

    def delivered_page(self, who: Actor) -> DeliveryPage:
        """Open what an enabled webhook was sent."""
        hook = self.enabled(SYSTEM)
        return delivery_page(hook.pk, hook.deliveries.get().pk, who)

    def enabled_as_it_was(self, role: str) -> Any:
        """Enable a webhook as it no longer is."""
        path = f"/api/v1/webhooks/{self.webhook.pk}/enable"
        return self.world.clients[role].post(path, headers={"If-Match": '"other"'})

    def led_elsewhere(self, who: Actor) -> Webhook:
        """Have an enabled webhook lead elsewhere."""
        hook = self.enabled(SYSTEM)
        url, generation = "https://elsewhere.example/in", hook.generation
        return streams.change_webhook(hook, url=url, if_generation=generation, actor=who)

    def archived(self) -> int:
        """Return the place of an event that lies in an archive."""
        with owning_tables():
            leaf = ArchivedLeaf.objects.create(
                index=2**40, leaf_hash=bytes(32), archive_id=self.world.values["archive"]
            )
        return leaf.index

    def reader(self, who: Actor) -> Actor:
        """Return ``who`` as somebody who may read the log, and no more."""
        return replace(who, grants=frozenset({Grant("audit.view", INSTANCE)}))

    def shared_target(self) -> Target:
        """Have another project use the target too, and its node say what went wrong with that."""
        other = Project.objects.exclude(pk=self.project.pk).earliest("pk")
        allow_use(self.target, project=other, actor=SYSTEM)
        said = {"code": "x", "detail": "of others"}
        Node.objects.filter(target=self.target).update(report={"errors": [said]})
        return Target.objects.get(pk=self.target.pk)

    def declared(self) -> Declaration:
        """Return what somebody said of who owns a data set."""
        about = "sha256:" + "0" * 64
        return registered.declare(
            self.project, fact="data_owner", about=about, person=self.person.pk, actor=SYSTEM
        )

    def discussed(self) -> Subject:
        """Return the release as it is discussed."""
        return get_subject("release", self.release.pk, SYSTEM)

    def commented(self) -> Release:
        """Return the release, after somebody said something about it."""
        comment(self.release, text="?", actor=SYSTEM)
        return self.release


def found_people(text: str, who: Any) -> list[Any]:
    """Return the people whom a search finds; guides, which all may read, hold such words too."""
    return [hit for hit in search(text, who) if hit.kind == "person"]


def found_by_id(project: Project, who: Any) -> list[Any]:
    """Return what a search finds by the ids of everything in a project."""
    ids = [pk for pk in named_ids(project.pk) if not pk.startswith("tgt_")]
    return [hit for pk in ids for hit in search(pk, who)]


def auditing(project: Project, who: Actor) -> Actor:
    """Return who sees the access to one project, and nothing else."""
    return replace(who, grants=frozenset({Grant("access.view", Scope(project.pk))}))


def without(who: Actor, permission: str) -> Actor:
    """Return who acts by a token that lacks a permission of theirs."""
    return replace(who, grants=frozenset(g for g in who.grants if g.permission != permission))


def by_token(who: Actor) -> Actor:
    """Return the same as they act by a token."""
    return replace(who, token="tok_one")


def elsewhere(who: Actor, permission: str) -> Actor:
    """Return who holds a permission of theirs in another project alone."""
    grant = Grant(permission, Scope("prj_other"))
    return replace(who, grants=without(who, permission).grants | {grant})


def named_ids(project: str) -> list[str]:
    """Return the ids of everything in a project that has a name, and of every target."""
    tables = (Environment, PolicyRevision, RegisteredModel, ModelVersion, Build, Release, Endpoint)
    rows = [table.objects.filter(project=project) for table in (*tables, Revision, Rollout)]
    found = [project, *Target.objects.values_list("pk", flat=True)]
    return found + [pk for table in rows for pk in table.values_list("pk", flat=True)]


DAY = timedelta(days=1)


def _recalled() -> QuerySet[Event]:
    return Event.objects.filter(kind="recall.created.v1")


QUESTIONS = [
    # audit
    Direct("export the log", "viewer", Forbidden, lambda t, who: export_folder(ROOT, actor=who)),
    Direct(
        "erase a person", "viewer", Forbidden, lambda t, who: erase_texts(t.person.pk, actor=who)
    ),
    Direct(
        "add a witness",
        "auditor",
        Forbidden,
        lambda t, who: add_witness(name="mine", kind="file", address="mine", actor=who),
    ),
    Direct(
        "remove a witness",
        "auditor",
        Forbidden,
        lambda t, who: remove_witness(t.world.values["witness"], actor=who),
    ),
    Direct(
        "witness a log", "auditor", Forbidden, lambda t, who: witness_log(key="none", actor=who)
    ),
    Direct(
        "forget a log",
        "auditor",
        Forbidden,
        lambda t, who: forget_log(t.world.values["log"], actor=who),
    ),
    Direct(
        "take facts over into a draft",  # the table's draft has its own, which refuses everybody
        "viewer",
        Forbidden,
        lambda t, who: registered.copy_facts(t.draft, source=t.done, actor=who),
    ),
    Direct("list the witnesses", "viewer", Forbidden, lambda t, who: witnesses_visible(who)),
    Direct(
        "list the witnessed logs", "viewer", Forbidden, lambda t, who: witnessed_logs_visible(who)
    ),
    Direct(
        "take the witnesses away",
        "viewer",
        None,
        lambda t, who: list(TABLES["witnesses"].rows(who, {})),
    ),
    Direct(
        "see witnesses beside a project's events",
        "viewer",
        None,
        lambda t, who: shown_others(who, None)["witnesses"],
    ),
    Direct(
        "be offered to add a witness",
        "auditor",
        None,
        lambda t, who: 'name="retain_days"' in t.page("auditor", "/audit/witnesses/"),
    ),
    Direct(
        "be offered the witnesses",
        "viewer",
        None,
        lambda t, who: 'href="/audit/witnesses/"' in t.page("viewer", "/"),
    ),
    Direct(
        "read what things of another project are called",
        "stranger",
        None,
        lambda t, who: object_names(named_ids(t.world.project.pk), who),
    ),
    Direct(
        "be led to the page of a team",
        "viewer",
        None,
        lambda t, who: [n for n in object_names([], who, actors=[t.team.pk]).values() if n.route],
    ),
    Direct(
        "read on a rollout who recalled what it carried in another project",
        "stranger",
        None,
        lambda t, who: with_last_words(t.reached, who).exclude(recalled=None),
    ),
    Direct(
        "watch a project that one does not see",
        "stranger",
        NotFound,
        lambda t, who: watch_project(t.project, is_on=True, actor=who),
    ),
    Direct(
        "watch a release that one does not see",
        "admin",
        NotFound,
        lambda t, who: watch_release(t.release, is_on=True, actor=who),
    ),
    Direct(
        "be told of a project that one does not see",
        "stranger",
        NotFound,
        lambda t, who: choose("review", way="now", project=t.project, actor=who),
    ),
    Direct(
        "choose mails of a project by a token that only reads",
        "viewer",
        NarrowToken,
        lambda t, who: choose("review", way="now", project=t.project, actor=by_token(who)),
    ),
    Direct(
        "choose all mails by a token of another project",
        "contributor",
        NarrowToken,
        lambda t, who: choose(
            "review", way="now", actor=by_token(elsewhere(who, "release.comment"))
        ),
    ),
    Direct(
        "read of a project that one watched before",
        "stranger",
        None,
        lambda t, who: own_watches(who) if t.watched(who) else [],
    ),
    Direct(
        "read of a release that one watched before",
        "admin",
        None,
        lambda t, who: own_watches(who) if t.watched(who, t.release) else [],
    ),
    Direct(
        "read of a project that one chose mails of before",
        "stranger",
        None,
        lambda t, who: project_preferences(who) if t.mailed(who) else [],
    ),
    Direct(
        "be offered to register a first model",
        "viewer",
        None,
        lambda t, who: project_page(t.project, who).first_model,
    ),
    Direct(
        "read whom events are about",
        "viewer",
        None,
        lambda t, who: [*people_in(timeline([t.binding.pk], SYSTEM, limit=5), who)],
    ),
    Direct("be offered everybody", "viewer", None, lambda t, who: offered_people(who)),
    Direct(
        "be offered people to add to a project",
        "auditor",
        None,
        lambda t, who: members_page(t.project, who, {}).offered,
    ),
    Direct(
        "be offered the export of a project's log without the permission",
        "auditor",
        None,
        lambda t, who: activity_page(t.project, without(who, "audit.export")).may_export,
    ),
    Direct(
        "read the environments of another project in a filter",
        "stranger",
        None,
        lambda t, who: environment_choices(who, t.project.slug),
    ),
    Direct(
        "find another project's releases by what is said of them",
        "stranger",
        None,
        lambda t, who: [*described(wanted(t.release.endpoint.name), who)],
    ),
    Direct(
        "read who decides in another project",
        "stranger",
        None,
        lambda t, who: deciders(
            with_deciders(Environment.objects.filter(pk=t.staging.pk)).get(), who
        ),
    ),
    Direct(
        "be told that a project is there by a list of it that is empty",
        "stranger",
        None,
        lambda t, who: empty_list(who, "releases", "release.view", t.staging.project.slug).project,
    ),
    Direct(
        "be told who holds roles that do not decide",
        "viewer",
        None,
        lambda t, who: any("operator" in told for told in roles_told(who, scope_of(t.staging))),
    ),
    Direct(
        "have releases requested in production by who manages staging alone",
        "operator",
        Forbidden,
        lambda t, who: update_environment(
            t.staging,
            promote={"after": "soaked", "to": "production"},
            actor=t.manager_of_staging(who),
        ),
    ),
    Direct(
        "be offered to have releases requested by themselves",
        "approver",
        None,
        lambda t, who: t.place(who).promotion.later,
    ),
    Direct(
        "be offered to say within how many days reviewers answer",
        "approver",
        None,
        lambda t, who: t.place(who).may_manage,
    ),
    Direct(
        "learn where releases wait that nobody can approve",
        "viewer",
        None,
        lambda t, who: t.without_deciders and standstill(who).stuck,
    ),
    Direct(
        "learn the same where one may publish a policy draft",
        "approver",
        None,
        lambda t, who: (
            draft_policy(t.staging, source=OPEN, actor=SYSTEM)
            and t.without_deciders
            and standstill(who).stuck
        ),
    ),
    Direct(
        "learn what taking a role away would leave",
        "auditor",
        None,
        lambda t, who: (
            "no new request can be approved" in t.after_taking_the_last_approver("auditor")
        ),
    ),
    Direct(
        "learn who has no second factor",
        "operator",
        None,
        lambda t, who: may_learn_what_lacks(t.person.pk, who, Scope(t.project.pk)),
    ),
    Direct(
        "set the rule of retention",
        "auditor",
        Forbidden,
        lambda t, who: set_retention(days=365, actor=who),
    ),
    Direct(
        "place a hold",
        "operator",
        Forbidden,
        lambda t, who: place_hold(name="mine", scope="everything", reason="x", actor=who),
    ),
    Direct(
        "lift a hold",
        "operator",
        Forbidden,
        lambda t, who: lift_hold(t.world.values["hold"], reason="x", actor=who),
    ),
    Direct("read the rule of retention", "viewer", Forbidden, lambda t, who: retention(who)),
    Direct("list the holds", "viewer", Forbidden, lambda t, who: visible_holds(who)),
    Direct("list the archives", "viewer", Forbidden, lambda t, who: visible_archives(who)),
    Direct(
        "read an archive",
        "admin",
        Forbidden,
        lambda t, who: get_archive(t.world.values["archive"], who),
    ),
    Direct(
        "take the holds away", "viewer", None, lambda t, who: list(TABLES["holds"].rows(who, {}))
    ),
    Direct(
        "take the archives away",
        "viewer",
        None,
        lambda t, who: list(TABLES["archives"].rows(who, {})),
    ),
    Direct(
        "be offered to set the rule",
        "auditor",
        None,
        lambda t, who: 'name="days"' in t.page("auditor", "/audit/retention/"),
    ),
    Direct(
        "be offered retention",
        "viewer",
        None,
        lambda t, who: 'href="/audit/retention/"' in t.page("viewer", "/"),
    ),
    Direct(
        "be offered an archive's file",
        "admin",
        None,
        lambda t, who: t.world.values["archive"] in t.page("admin", "/audit/retention/"),
    ),
    Direct(
        "find where an archived event lies",
        "viewer",
        None,
        lambda t, who: archive_of(t.archived(), who),
    ),
    Direct(
        "be offered to place a hold",
        "viewer",
        None,
        lambda t, who: retention_page(t.reader(who)).may_hold,
    ),
    Direct(
        "be offered to lift a hold",
        "viewer",
        None,
        lambda t, who: [row for row in retention_page(t.reader(who)).holds if row.may_lift],
    ),
    Direct("read a timeline", "stranger", None, lambda t, who: timeline([t.done.pk], who)),
    # identity
    Direct("set the own quota", "viewer", Forbidden, lambda t, who: t.with_a_quota(who)),
    Direct(
        "grant a role",
        "stranger",
        NotFound,
        lambda t, who: access.grant_role(
            role="viewer", person=t.person, project=t.project, actor=who
        ),
    ),
    Direct(
        "revoke a role",
        "stranger",
        NotFound,
        lambda t, who: access.revoke_role(t.binding, actor=who),
    ),
    Direct(
        "place somebody",
        "auditor",
        Forbidden,
        lambda t, who: access.place_person(t.person, line="second", actor=who),
    ),
    Direct(
        "place oneself",
        "admin",
        OwnAccess,
        lambda t, who: access.place_person(t.world.people["admin"], line="second", actor=who),
    ),
    Direct(
        "make a service account",
        "viewer",
        Forbidden,
        lambda t, who: access.create_service_account(name="mine", owner=t.person, actor=who),
    ),
    Direct(
        "take a service account over",
        "viewer",
        Forbidden,
        lambda t, who: access.change_owner(t.account, owner=t.world.people["viewer"], actor=who),
    ),
    Direct(
        "delete a team", "auditor", Forbidden, lambda t, who: access.delete_team(t.team, actor=who)
    ),
    Direct(
        "put somebody into a team",
        "auditor",
        Forbidden,
        lambda t, who: access.add_member(t.team, person=t.world.people["viewer"], actor=who),
    ),
    Direct(
        "be led to a team that one is in",
        "viewer",
        None,
        lambda t, who: (
            access.add_member(t.team, person=t.world.people["viewer"], actor=SYSTEM)
            and "/administration/teams/" in t.page("viewer", f"/people/{who.accountable}/")
        ),
    ),
    Direct(
        "take somebody out of a team",
        "auditor",
        Forbidden,
        lambda t, who: access.remove_member(t.team, person=t.person, actor=who),
    ),
    Direct(
        "make a token for a hidden project",
        "stranger",
        NotFound,
        lambda t, who: access.issue_token(
            name="x",
            scopes=["model.view"],
            project=t.project,
            actor=who,
            expires_at=now() + DAY,
            person=t.world.people["stranger"],
        ),
    ),
    Direct(
        "end a hidden token",
        "viewer",
        NotFound,
        lambda t, who: access.revoke_token(t.token, actor=who),
    ),
    Direct(
        "end another's token",
        "auditor",
        Forbidden,
        lambda t, who: access.revoke_token(t.token, actor=who),
    ),
    Direct(
        "name a hidden project",
        "stranger",
        InvalidInput,
        lambda t, who: named_project(t.project.slug, who),
    ),
    # registry: what is wrong with the request besides is told to nobody who may not make it
    Direct(
        "finalise a final version",
        "viewer",
        Forbidden,
        lambda t, who: registered.finalise(t.done, actor=who),
    ),
    Direct(
        "announce a wrong file",
        "viewer",
        Forbidden,
        lambda t, who: registered.start_upload(t.draft, path="/", size=-1, sha256="", actor=who),
    ),
    Direct(
        "send a chunk of elsewhere",
        "viewer",
        Forbidden,
        lambda t, who: registered.receive_chunk(t.upload, offset=99, stream=None, actor=who),
    ),  # type: ignore[arg-type]
    Direct(
        "finish what is not there",
        "viewer",
        Forbidden,
        lambda t, who: registered.finish_upload(t.upload, actor=who),
    ),
    Direct(
        "cancel an upload",
        "viewer",
        Forbidden,
        lambda t, who: registered.cancel_upload(t.upload, actor=who),
    ),
    Direct(
        "read a file",
        "stranger",
        NotFound,
        lambda t, who: registry.file_for(t.done, "model.joblib", who),
    ),
    Direct(
        "list versions", "stranger", None, lambda t, who: registry.version_summaries(who, t.model)
    ),
    Direct("read aliases", "stranger", None, lambda t, who: registry.aliases(t.model, who)),
    Direct("read evidence", "stranger", None, lambda t, who: registry.evidence(t.draft, who)),
    Direct(
        "declare who owns data",
        "stranger",
        NotFound,
        lambda t, who: registered.declare(
            t.project, fact="data_owner", about="", person="", actor=who
        ),
    ),
    Direct(
        "declare what is none",
        "viewer",
        Forbidden,
        lambda t, who: registered.declare(t.project, fact="", about="", person="", actor=who),
    ),
    Direct(
        "read declarations",
        "stranger",
        None,
        lambda t, who: declarations(t.declared().project, who),
    ),
    Direct(
        "be shown how to declare",
        "viewer",
        None,
        lambda t, who: (
            "Declare" in t.page("viewer", t.world.path("/models/{project}/{name}/{number}/people/"))
        ),
    ),
    Direct(
        "trust a key",
        "stranger",
        NotFound,
        lambda t, who: registered.trust_signing_key(t.project, label="mine", pem="", actor=who),
    ),
    Direct(
        "trust what is no key",
        "viewer",
        Forbidden,
        lambda t, who: registered.trust_signing_key(t.project, label="", pem="", actor=who),
    ),
    Direct(
        "revoke a key",
        "viewer",
        Forbidden,
        lambda t, who: registered.revoke_signing_key(t.signing_key, actor=who),
    ),
    Direct(
        "read signing keys", "stranger", None, lambda t, who: registry.signing_keys(t.project, who)
    ),
    Direct(
        "take signing keys away",
        "stranger",
        None,
        lambda t, who: [
            values for values in TABLES["signers"].rows(who, {}) if t.signing_key.pk in values
        ],
    ),
    Direct(
        "be shown how to trust a key",
        "viewer",
        None,
        lambda t, who: "Trust a key" in t.page("viewer", f"/signing-keys/{t.project.slug}/"),
    ),
    # governance and serving
    Direct(
        "have releases wait for changes in a project that one does not see",
        "stranger",
        None,
        lambda t, who: releases_to_change(t.to_change(who)).exists(),
    ),
    Direct(
        "be offered to withdraw what one asked for",
        "viewer",
        None,
        lambda t, who: t.asked_by(who).may_withdraw,
    ),
    Direct(
        "read where nobody could approve after a change of access that one may not make",
        "auditor",
        None,
        lambda t, who: t.looked_at_access(who),
    ),
    Direct(
        "be offered to choose who reviews what one asked for",
        "viewer",
        None,
        lambda t, who: t.reviewers_of(who).may_choose,
    ),
    Direct(
        "make an environment",
        "stranger",
        NotFound,
        lambda t, who: create_environment(t.project, name="mine", actor=who),
    ),
    Direct(
        "make an endpoint",
        "stranger",
        NotFound,
        lambda t, who: create_endpoint(
            t.project,
            environment="staging",
            name="mine",
            target=t.release.endpoint.target,
            actor=who,
        ),
    ),
    Direct("open a name that needed keys", "contributor", Forbidden, lambda t, who: t.opened(who)),
    Direct(
        "read environments",
        "stranger",
        None,
        lambda t, who: visible_rows.environments(t.project, who),
    ),
    Direct(
        "read which others may use a target",
        "viewer",
        None,
        lambda t, who: [
            use for use in uses_of(t.shared_target(), who) if use.project_id != t.project.pk
        ],
    ),
    Direct(
        "be shown which others may use a target",
        "viewer",
        None,
        lambda t, who: [
            use
            for use in uses_of_all([t.shared_target()], who)[t.target.pk].shown
            if use.project_id != t.project.pk
        ],
    ),
    Direct(
        "be shown what others run on a target",
        "stranger",
        None,
        lambda t, who: target_rows([t.target], who)[0].revisions,
    ),
    Direct(
        "read what a node says of others",
        "viewer",
        None,
        lambda t, who: [
            row
            for row in target_body(t.shared_target(), who)["node"]["problems"]
            if row["detail"] == "of others"
        ],
    ),
    Direct(
        "read which environment shares a target",
        "stranger",
        None,
        lambda t, who: [row for row in shared_last(who) if row.project == t.project.name],
    ),
    Direct(
        "be shown how to add a target",
        "viewer",
        None,
        lambda t, who: "New target" in t.page("viewer", "/targets/"),
    ),
    Direct(
        "be shown how to change who may use a target",
        "viewer",
        None,
        lambda t, who: "Save owner" in t.page("viewer", f"/targets/{t.target.name}/"),
    ),
    Direct("read how duties are kept apart", "operator", None, lambda t, who: visible_duties(who)),
    Direct(
        "learn who could get around whom",
        "operator",
        None,
        lambda t, who: t.project.slug in describe_path(ShortestPath(1, ()), t.staging, look(), who),
    ),
    Direct("read freezes", "stranger", None, lambda t, who: freezes(t.staging, who)),
    Direct(
        "read decisions",
        "stranger",
        None,
        lambda t, who: visible_rows.decisions(t.decided, who),
    ),
    Direct(
        "say where a policy is discussed",
        "stranger",
        NotFound,
        lambda t, who: thing("policy", t.release.policy_id, who),
    ),
    Direct(
        "open a discussion",
        "stranger",
        NotFound,
        lambda t, who: open_thread(t.discussed(), text="?", actor=who),
    ),
    Direct(
        "open a discussion",
        "viewer",
        Forbidden,
        lambda t, who: open_thread(t.discussed(), text="?", actor=who),
    ),
    Direct(
        "read comments",
        "stranger",
        None,
        lambda t, who: visible_rows.comments(t.commented(), who),
    ),
    Direct(
        "decide",
        "viewer",
        None,
        lambda t, who: visible_rows.held_roles(who, Scope(t.project.pk, "staging")),
    ),
    Direct(
        "be waited for where others operate",
        "stranger",
        None,
        lambda t, who: awaiting_person(t.operator_of_staging(who)),
    ),
    Direct(
        "be waited for where one sees nothing",
        "stranger",
        None,
        lambda t, who: awaiting_person(t.blind_operator(who)),
    ),
    Direct("ship", "operator", None, lambda t, who: may_ship(t.held, who)),
    Direct("open an alert", "viewer", Forbidden, lambda t, who: t.alert(who)),
    Direct(
        "have a stranger told",
        "operator",
        InvalidInput,
        lambda t, who: t.told_of_an_objective(t.world.people["stranger"], who),
    ),
    Direct(
        "hold an endpoint to nothing",
        "approver",
        Forbidden,
        lambda t, who: remove_objective(t.held.endpoint, if_generation=0, actor=who),
    ),
    Direct(
        "have no more drills run",
        "approver",
        Forbidden,
        lambda t, who: unschedule_drills(t.held.endpoint, if_generation=0, actor=who),
    ),
    Direct(
        "end an endpoint",
        "approver",
        Forbidden,
        lambda t, who: delete_endpoint(t.held.endpoint, if_generation=0, actor=who),
    ),
    # streams of the log
    Direct(
        "see a stream of a project from one environment",
        "stranger",
        None,
        lambda t, who: t.streams_seen(t.partly(who, "stream.view")),
    ),
    Direct(
        "overlook a stream of a project",
        "stranger",
        None,
        lambda t, who: len(t.streams_seen(t.partly(who, "stream.view", where=""))) != 2,
    ),
    Direct(
        "see that a webhook is called from one environment",
        "stranger",
        None,
        lambda t, who: t.calls_seen(t.partly(who, "stream.view", "project.view", "job.view")),
    ),
    Direct(
        "read a secret once more in an old session",
        "viewer",
        Reauthenticate,
        lambda t, who: shown_again(who, StoredResponse(201, {RIGHTS: rights(who)}, b"")),
        stale=True,
    ),
    Direct(
        "set a secret in an old session",
        "operator",
        Reauthenticate,
        lambda t, who: set_secret(
            t.project, environment="staging", name="other", value="x", actor=who
        ),
        stale=True,
    ),
    Direct(
        "have a release use a secret without a right to use one",
        "contributor",
        Forbidden,
        lambda t, who: t.asked_with_secret(t.partly(who, "release.request", "release.view")),
    ),
    Direct("have the log sent", "viewer", Forbidden, lambda t, who: t.streamed(who)),
    Direct(
        "have a hidden project's log sent",
        "stranger",
        NotFound,
        lambda t, who: t.streamed(who, t.project),
    ),
    Direct(
        "have the log sent without a right to export it",
        "admin",
        None,
        lambda t, who: [s for s in [t.streamed(who)] if s.state != "paused" or s.started_by],
    ),
    Direct(
        "learn what is wrong with a stream that one may not add",
        "viewer",
        None,
        lambda t, who: t.world.clients["viewer"].post("/api/v1/streams", {}).status_code != 403,
    ),
    Direct(
        "let a stream begin",
        "admin",
        Forbidden,
        lambda t, who: streams.resume_stream(t.stream, actor=who),
    ),
    Direct(
        "let a hidden stream begin",
        "viewer",
        NotFound,
        lambda t, who: streams.resume_stream(t.stream, actor=who),
    ),
    Direct(
        "pause a stream",
        "auditor",
        Forbidden,
        lambda t, who: streams.pause_stream(t.stream, actor=who),
    ),
    Direct(
        "rewind a stream",
        "auditor",
        Forbidden,
        lambda t, who: streams.rewind_stream(t.stream, index=0, actor=who),
    ),
    Direct(
        "test a stream",
        "auditor",
        Forbidden,
        lambda t, who: streams.ask_for_test(t.stream, actor=who),
    ),
    Direct(
        "remove a stream",
        "auditor",
        Forbidden,
        lambda t, who: streams.remove_stream(t.stream, if_generation=0, actor=who),
    ),
    Direct("list streams", "viewer", None, lambda t, who: visible_streams(who)),
    # webhooks
    Direct("have events told", "viewer", Forbidden, lambda t, who: t.hooked(who)),
    Direct(
        "have a hidden project's events told",
        "stranger",
        NotFound,
        lambda t, who: t.hooked(who, t.project),
    ),
    Direct(
        "have events told without a right to export them",
        "admin",
        None,
        lambda t, who: [h for h in [t.hooked(who)] if h.state != "disabled" or h.enabled_by],
    ),
    Direct(
        "learn what is wrong with a webhook that one may not add",
        "viewer",
        None,
        lambda t, who: t.world.clients["viewer"].post("/api/v1/webhooks", {}).status_code != 403,
    ),
    Direct(
        "enable a webhook",
        "admin",
        Forbidden,
        lambda t, who: t.enabled(who),
    ),
    Direct(
        "enable a hidden webhook",
        "viewer",
        NotFound,
        lambda t, who: t.enabled(who),
    ),
    Direct(
        "learn that a webhook changed that one may not enable",
        "admin",
        None,
        lambda t, who: t.enabled_as_it_was("admin").status_code != 403,
    ),
    Direct(
        "disable a webhook",
        "auditor",
        Forbidden,
        lambda t, who: streams.disable_webhook(t.webhook, actor=who),
    ),
    Direct(
        "change a webhook",
        "auditor",
        Forbidden,
        lambda t, who: streams.change_webhook(t.webhook, groups=(), if_generation=0, actor=who),
    ),
    Direct(
        "have an enabled webhook go elsewhere without a right to export the log",
        "admin",
        None,
        lambda t, who: [h for h in [t.led_elsewhere(who)] if h.state == "enabled"],
    ),
    Direct(
        "rotate a webhook",
        "auditor",
        Forbidden,
        lambda t, who: streams.rotate_webhook(t.webhook, actor=who),
    ),
    Direct(
        "test a webhook",
        "auditor",
        Forbidden,
        lambda t, who: streams.ask_for_webhook_test(t.webhook, actor=who),
    ),
    Direct(
        "send a webhook something again",
        "auditor",
        Forbidden,
        lambda t, who: streams.redeliver(t.webhook.deliveries.get(), actor=who),
    ),
    Direct(
        "remove a webhook",
        "auditor",
        Forbidden,
        lambda t, who: streams.remove_webhook(t.webhook, if_generation=0, actor=who),
    ),
    Direct(
        "be shown a button that would be refused beside what was delivered",
        "auditor",
        None,
        lambda t, who: t.delivered_page(who).buttons,
    ),
    Direct(
        "read what a receiver answered to an event that one may not read",
        "admin",
        None,
        lambda t, who: reads_answers(t.webhook.deliveries.get(), who),
    ),
    Direct("list webhooks", "viewer", None, lambda t, who: visible_webhooks(who)),
    Direct(
        "list what a webhook was sent",
        "viewer",
        None,
        lambda t, who: visible_deliveries(t.webhook, who),
    ),
    # assurance
    Direct(
        "foresee a recall",
        "viewer",
        Forbidden,
        lambda t, who: foresee(
            who, kind="bento", what=t.release.bento_id, project=t.project, ring=ring()
        ),
    ),
    Direct(
        "foresee a recall of elsewhere",
        "stranger",
        NotFound,
        lambda t, who: foresee(
            who, kind="bento", what=t.release.bento_id, project=t.project, ring=ring()
        ),
    ),
    Direct(
        "recall the decisions of a person by an e-mail address that one may not know",
        "operator",
        None,
        lambda t, who: named_person(t.person.email, who) != t.person.email,
    ),
    Direct(
        "read what a recall voided elsewhere",
        "stranger",
        None,
        lambda t, who: voided_seen(t.taken_back.get(), who),
    ),
    Direct(
        "read how a build behaved in rollouts that a token does not see",
        "viewer",
        None,
        lambda t, who: release_behaviour_page(t.tried.pk, without(who, "rollout.view")).served,
    ),
    Direct(
        "read of earlier attempts by rollouts that a token does not see",
        "viewer",
        None,
        lambda t, who: [r for r in t.attempts(without(who, "rollout.view")) if r.rollout],
    ),
    Direct(
        "read of earlier attempts by releases of another project",
        "viewer",
        None,
        lambda t, who: t.attempts(elsewhere(who, "release.view")),
    ),
    Direct(
        "read what a build predicted before",
        "viewer",
        None,
        lambda t, who: [
            row.revision
            for row in release_behaviour_page(t.tried.pk, without(who, "prediction.view")).served
            if row.is_answers_seen
        ],
    ),
    Direct(
        "take away what recalls voided elsewhere",
        "stranger",
        None,
        lambda t, who: voided_by_each(t.taken_back, who),
    ),
    Direct(
        "learn where else there are the files of what one recalls",
        "stranger",
        None,
        lambda t, who: same_files(t.copied(), who),
    ),
    Direct(
        "be offered a project to recall in",
        "viewer",
        None,
        lambda t, who: recall_form(who).projects,
    ),
    Direct(
        "be offered what counts everywhere",
        "approver",
        None,
        lambda t, who: [kind for kind, _ in recall_form(who).kinds if kind not in IN_PROJECT],
    ),
    Direct(
        "be shown who there is to recall", "approver", None, lambda t, who: recall_form(who).people
    ),
    Direct(
        "be offered to lift",
        "operator",
        None,
        lambda t, who: recall_page(t.world.values["recall"], who).may_lift,
    ),
    Direct(
        "be shown how to recall",
        "viewer",
        None,
        lambda t, who: "/recalls/new/" in t.page("viewer", "/recalls/"),
    ),
    # break-glasses
    Direct(
        "be told of a broken glass",
        "stranger",
        None,
        lambda t, who: visible_rows.menu(who).glasses,
    ),
    Direct("open one", "approver", Forbidden, lambda t, who: t.opens(who)),
    Direct(
        "open one of a place one does not see", "stranger", NotFound, lambda t, who: t.opens(who)
    ),
    Direct(
        "be offered to open one",
        "approver",
        None,
        lambda t, who: break_glass.may_open(t.urgent, who),
    ),
    Direct(
        "be offered to confirm one",
        "reviewer",
        None,
        lambda t, who: break_glass.may_confirm(t.glass_view, who),
    ),
    Direct(
        "be offered to end one",
        "operator",
        None,
        lambda t, who: break_glass.may_end(t.glass_view, who),
    ),
    Direct(
        "be offered to review one",
        "operator",
        None,
        lambda t, who: break_glass.may_review(t.ended, who),
    ),
    Direct("end one", "operator", Forbidden, lambda t, who: end_break_glass(t.glass, actor=who)),
    Direct(
        "confirm one in an old session",
        "approver",
        Reauthenticate,
        lambda t, who: confirm_break_glass(
            t.glass, opening_digest=t.glass.opening_digest, actor=who
        ),
        stale=True,
    ),
    Direct(
        "review one in an old session",
        "approver",
        Reauthenticate,
        lambda t, who: review_break_glass(
            t.ended.glass, finding="justified", findings="x", actor=who
        ),
        stale=True,
    ),
    # pages
    Direct(
        "page through hidden projects",
        "stranger",
        None,
        lambda t, who: [t.many_projects(), policy_list_page(who)[1]][1],
    ),
    Direct(
        "choose a hidden project",
        "stranger",
        None,
        lambda t, who: [p for p in projects_of(who) if p == t.project],
    ),
    Direct("be led to a project", "stranger", None, lambda t, who: project_url(t.project, who)),
    Direct("be led to a person", "viewer", None, lambda t, who: person_url(t.person.pk, who)),
    Direct(
        "be led to the duties",
        "viewer",
        None,
        lambda t, who: [link for link in t.place(who).links if "/duties/" in link.url],
    ),
    Direct(
        "list a project",
        "stranger",
        None,
        lambda t, who: [r for r in project_list_page(who)[0] if r.project == t.project],
    ),
    Direct(
        "be shown a project's models",
        "admin",
        None,
        lambda t, who: project_page(t.project, who).sees_models,
    ),
    Direct(
        "see policies in force",
        "admin",
        None,
        lambda t, who: [r for r in environments_in_force(t.project, who) if r.policy],
    ),
    Direct(
        "learn whether something is set up",
        "stranger",
        None,
        lambda t, who: [n for n in ("version", "release", "live") if setup_list(who).found[n]],
    ),
    Direct(
        "learn where somebody registers models",
        "viewer",
        None,
        lambda t, who: setup_list(who).found["place"],
    ),
    Direct(
        "be shown commands that register", "viewer", None, lambda t, who: setup_list(who).registers
    ),
    Direct(
        "be offered sample data",
        "contributor",
        None,
        lambda t, who: SetupList(who, {"version": False}).may_load,
    ),
    Direct("load sample data", "operator", Forbidden, lambda t, who: request_samples(actor=who)),
    Direct("see who has roles", "viewer", None, lambda t, who: sees_access(t.project, who)),
    Direct(
        "see environments in force",
        "stranger",
        None,
        lambda t, who: environments_in_force(t.project, who),
    ),
    Direct(
        "read what somebody decided",
        "admin",
        None,
        lambda t, who: person_page(t.world.people["reviewer"].pk, t.after_deciding(who)).decisions,
    ),
    Direct(
        "count somebody's tokens",
        "auditor",
        None,
        lambda t, who: person_page(t.account.owner_id, who).token_count,
    ),
    Direct(
        "name a project in a form",
        "stranger",
        InvalidInput,
        lambda t, who: place_of(t.project.slug, who),
    ),
    Direct(
        "manage a person",
        "auditor",
        None,
        lambda t, who: person_page(t.account.owner_id, who).may_set_up,
    ),
    Direct(
        "sign somebody out",
        "auditor",
        Forbidden,
        lambda t, who: access.end_sessions(t.person, actor=who),
    ),
    Direct(
        "demand a second factor",
        "auditor",
        Forbidden,
        lambda t, who: access.demand_second_factor("viewer", actor=who),
    ),
    Direct(
        "demand a second factor",
        "admin",
        Reauthenticate,
        lambda t, who: access.demand_second_factor("viewer", actor=who),
        stale=True,
    ),
    Direct(
        "waive a second factor",
        "auditor",
        Forbidden,
        lambda t, who: access.waive_second_factor("responder", actor=who),
    ),
    Direct(
        "try the mail server",
        "auditor",
        Forbidden,
        lambda t, who: streams.try_out("mail", actor=who),
    ),
    Direct(
        "try the mail server",
        "admin",
        Reauthenticate,
        lambda t, who: streams.try_out("mail", actor=who),
        stale=True,
    ),
    Direct(
        "be asked for a quota",
        "admin",
        None,
        lambda t, who: settings_page(t.project, t.editor(who), {}).may_set_quota,
    ),
    Direct(
        "learn whether somebody has an account",
        "contributor",
        Forbidden,
        lambda t, who: subject_for(t.project, "nobody@example.com", who),
    ),
    Direct("find a project", "stranger", None, lambda t, who: search(t.project.slug, who)),
    Direct(
        "ask the log for a project",
        "stranger",
        None,
        lambda t, who: (
            NameFinder()
            .ids(who, person="", thing="", cause="", place=(t.project.slug, "staging"))
            .environments
        ),
    ),
    Direct(
        "learn who made a recall from what it reached",
        "stranger",
        None,
        lambda t, who: not made_by_hidden(list(_recalled().values_list("index", flat=True)), who),
    ),
    Direct(
        "know of a recall by what came of it",
        "stranger",
        None,
        lambda t, who: _recalled().filter(causes(who)),
    ),
    Direct(
        "find an environment",
        "stranger",
        None,
        lambda t, who: [hit for hit in search("staging", who) if hit.detail == t.project.name],
    ),
    Direct("find an alias", "stranger", None, lambda t, who: search("champion", who)),
    Direct("find a Bento", "stranger", None, lambda t, who: search(t.release.bento_id, who)),
    Direct("find anything by its id", "stranger", None, lambda t, who: found_by_id(t.project, who)),
    Direct("find a person", "viewer", None, lambda t, who: found_people(t.person.name, who)),
    Direct(
        "find a person by their address in a project whose access one audits",
        "viewer",
        None,
        lambda t, who: found_people(t.person.email, auditing(t.project, who)),
    ),
    Direct(
        "find a person, oneself even", "viewer", None, lambda t, who: found_people("Viewer", who)
    ),
    Direct("list environments", "stranger", None, lambda t, who: policy_rows([t.project], who)),
    Direct(
        "list policies",
        "admin",
        None,
        lambda t, who: [row for row in policy_rows([t.project], who) if row.policy or row.readable],
    ),
    Direct(
        "be offered an environment",
        "viewer",
        None,
        lambda t, who: [
            choice for choice in request_choices(t.version, who).environments if choice.allowed
        ],
    ),
    Direct(
        "name a hidden project for a token",
        "stranger",
        None,
        lambda t, who: (
            t.world.clients["stranger"]
            .post(
                "/tokens/new",
                {
                    "name": "x",
                    "scopes": ["model.view"],
                    "days": "9",
                    "project": t.project.slug,
                },
            )
            .status_code
            != 200
        ),
    ),
    Direct(
        "be shown the log in the menu",
        "viewer",
        None,
        lambda t, who: 'href="/audit/"' in t.page("viewer", "/"),
    ),
    Direct(
        "be shown how to make a model",
        "viewer",
        None,
        lambda t, who: "New model" in t.page("viewer", "/models/"),
    ),
    Direct(
        "be shown how to stop an endpoint",
        "viewer",
        None,
        lambda t, who: "/do/stop" in t.page("viewer", t.world.path("/endpoints/{endpoint_id}/")),
    ),
    Direct(
        "be offered to withdraw another's passkey",
        "auditor",
        None,
        lambda t, who: [row for row in passkey_list_page(who).offered if row.may_withdraw],
    ),
    Direct(
        "be offered to vouch without a right to approve",
        "reviewer",
        None,
        lambda t, who: [row for row in t.vouching(who) if row.may_vouch],
    ),
    Direct("see others' passkeys", "viewer", None, lambda t, who: visible_passkeys(who)),
    Direct(
        "withdraw another's passkey",
        "auditor",
        Forbidden,
        lambda t, who: access.withdraw_passkey(t.passkey, actor=who),
    ),
    Direct(
        "vouch without a right to approve",
        "auditor",
        Forbidden,
        lambda t, who: access.ask_to_enrol(t.passkey, actor=who),
    ),
    Direct(
        "vouch for what one does not see",
        "viewer",
        NotFound,
        lambda t, who: access.ask_to_enrol(t.passkey, actor=who),
    ),
    Direct(
        "be shown streams in the menu",
        "viewer",
        None,
        lambda t, who: 'href="/streams/"' in t.page("viewer", "/"),
    ),
    Direct(
        "be offered to add a stream",
        "auditor",
        None,
        lambda t, who: "New stream" in t.page("auditor", "/streams/"),
    ),
    Direct(
        "be offered to pause a stream",
        "auditor",
        None,
        lambda t, who: "/do/pause" in t.page("auditor", f"/streams/{t.stream.pk}/"),
    ),
    Direct(
        "be offered to let a stream begin",
        "admin",
        None,
        lambda t, who: "/do/resume" in t.page("admin", f"/streams/{t.stream.pk}/"),
    ),
    Direct(
        "take a release away", "viewer", Forbidden, lambda t, who: release_bundle(t.decided, who)
    ),
    Direct(
        "take a recall away",
        "viewer",
        Forbidden,
        lambda t, who: report_of(Recall.objects.get(pk=t.world.values["recall"]), who),
    ),
    # somebody whose session is old
    Direct(
        "grant a role",
        "admin",
        Reauthenticate,
        lambda t, who: access.grant_role(role="viewer", person=t.person, actor=who),
        stale=True,
    ),
    Direct(
        "withdraw a request for changes",
        "reviewer",
        Reauthenticate,
        lambda t, who: withdraw_changes(t.changes_asked(), actor=who),
        stale=True,
    ),
    Direct(
        "make a project",
        "admin",
        Reauthenticate,
        lambda t, who: access.create_project(slug="newer", name="Newer", actor=who),
        stale=True,
    ),
    Direct(
        "learn who has an account in an old session",
        "admin",
        Reauthenticate,
        lambda t, who: subject_for(t.project, "nobody@example.com", who),
        stale=True,
    ),
    Direct(
        "place somebody",
        "admin",
        Reauthenticate,
        lambda t, who: access.place_person(t.person, line="second", actor=who),
        stale=True,
    ),
    Direct(
        "make a token",
        "viewer",
        Reauthenticate,
        lambda t, who: access.issue_token(
            name="x",
            scopes=["model.view"],
            actor=who,
            expires_at=now() + DAY,
            person=t.world.people["viewer"],
        ),
        stale=True,
    ),
    Direct(
        "confirm a command line",
        "viewer",
        Reauthenticate,
        lambda t, who: access.confirm_device_login(
            access.begin_device_login(client="x", address="198.51.100.7").user_code,
            terms=access.TokenTerms("x", ["model.view"], now() + DAY),
            actor=who,
        ),
        stale=True,
    ),
    Direct(
        "end another's token",
        "admin",
        Reauthenticate,
        lambda t, who: access.revoke_token(t.token, actor=who),
        stale=True,
    ),
    Direct(
        "withdraw another's passkey",
        "admin",
        Reauthenticate,
        lambda t, who: access.withdraw_passkey(t.passkey, actor=who),
        stale=True,
    ),
    Direct(
        "make a key",
        "operator",
        Reauthenticate,
        lambda t, who: issue_endpoint_key(t.held.endpoint, name="x", actor=who),
        stale=True,
    ),
    Direct(
        "take the need of a key away",
        "operator",
        Reauthenticate,
        lambda t, who: require_api_key(
            require_api_key(t.held.endpoint, required=True, actor=SYSTEM),
            required=False,
            actor=who,
        ),
        stale=True,
    ),
    Direct(
        "lead requests elsewhere",
        "operator",
        Reauthenticate,
        lambda t, who: update_target(t.target, url="https://elsewhere.example", actor=who),
        stale=True,
    ),
    Direct(
        "make a join token",
        "operator",
        Reauthenticate,
        lambda t, who: issue_join_token(t.held.endpoint.target, actor=who),
        stale=True,
    ),
    Direct(
        "let a project use a target",
        "operator",
        Reauthenticate,
        lambda t, who: allow_use(t.target, project=t.project, environment="mine", actor=who),
        stale=True,
    ),
    Direct(
        "decide in an old session",
        "reviewer",
        Reauthenticate,
        lambda t, who: t.to_decide(who),
        stale=True,
    ),
    Direct(
        "draft a policy",
        "approver",
        Reauthenticate,
        lambda t, who: draft_policy(t.staging, source=OPEN, actor=who),
        stale=True,
    ),
    Direct(
        "publish a policy",
        "approver",
        Reauthenticate,
        lambda t, who: publish_policy(
            t.staging.policies.get(number=t.world.values["policies/number"]), actor=who
        ),
        stale=True,
    ),
    Direct(
        "lift a freeze",
        "approver",
        Reauthenticate,
        lambda t, who: lift_freeze(Freeze.objects.get(pk=t.world.values["freeze"]), actor=who),
        stale=True,
    ),
    Direct(
        "start a rollout",
        "operator",
        Reauthenticate,
        lambda t, who: begin_rollout(t.approved(), actor=who),
        stale=True,
    ),
    Direct(
        "promote",
        "operator",
        Reauthenticate,
        lambda t, who: promote(t.in_staging(), step=-1, reason="x", actor=who),
        stale=True,
    ),
    Direct(
        "ship in an old session",
        "approver",
        Reauthenticate,
        lambda t, who: ship(t.held, step=-1, reason="x", actor=who),
        stale=True,
    ),
    Direct(
        "add a stream in an old session",
        "admin",
        Reauthenticate,
        lambda t, who: t.streamed(who),
        stale=True,
    ),
    Direct(
        "let a stream begin in an old session",
        "auditor",
        Reauthenticate,
        lambda t, who: streams.resume_stream(t.stream, actor=who),
        stale=True,
    ),
    Direct(
        "add a webhook in an old session",
        "admin",
        Reauthenticate,
        lambda t, who: t.hooked(who),
        stale=True,
    ),
    Direct(
        "enable a webhook in an old session",
        "auditor",
        Reauthenticate,
        lambda t, who: t.enabled(who),
        stale=True,
    ),
    Direct(
        "change a webhook in an old session",
        "admin",
        Reauthenticate,
        lambda t, who: streams.change_webhook(t.webhook, groups=(), if_generation=0, actor=who),
        stale=True,
    ),
    Direct(
        "rotate a webhook in an old session",
        "admin",
        Reauthenticate,
        lambda t, who: streams.rotate_webhook(t.webhook, actor=who),
        stale=True,
    ),
    Direct(
        "lift a recall in an old session",
        "approver",
        Reauthenticate,
        lambda t, who: lift(Recall.objects.get(pk=t.world.values["recall"]), reason="x", actor=who),
        stale=True,
    ),
    Direct(
        "set the rule of retention in an old session",
        "admin",
        Reauthenticate,
        lambda t, who: set_retention(days=365, actor=who),
        stale=True,
    ),
    Direct(
        "place a hold in an old session",
        "auditor",
        Reauthenticate,
        lambda t, who: place_hold(name="mine", scope="everything", reason="x", actor=who),
        stale=True,
    ),
    Direct(
        "lift a hold in an old session",
        "auditor",
        Reauthenticate,
        lambda t, who: lift_hold(t.world.values["hold"], reason="x", actor=who),
        stale=True,
    ),
    Direct(
        "trust a signing key in an old session",
        "approver",
        Reauthenticate,
        lambda t, who: registered.trust_signing_key(t.project, label="x", pem="", actor=who),
        stale=True,
    ),
    Direct(
        "give the account a first password",
        "viewer",
        None,
        lambda t, who: t.sets_a_password("viewer"),
    ),
    Direct(
        "open the access administration",
        "auditor",
        None,
        lambda t, who: t.world.clients["auditor"].get("/admin/").status_code == 200,
    ),
]
