"""The world that the permission table's requests are made in.

An app adds what its routes need by a function here under ``@part``: objects, the values that
fill its route parameters, the bodies that its writes need to get as far as the permission. Parts
run in the order they stand in, so a part may use what an earlier one made.
"""

import json
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import timedelta
from hashlib import sha256
from io import BytesIO
from pathlib import Path
from tempfile import TemporaryDirectory
from types import SimpleNamespace
from typing import Any
from uuid import UUID

from django.test import Client

from apps.assurance.actions import place_hold, recall
from apps.audit.actions import record, write_checkpoint
from apps.audit.actions.cosigning import witness_log
from apps.audit.actions.witnesses import add_witness
from apps.audit.models import Archive
from apps.audit.queries import latest_checkpoint
from apps.builds.actions import request_build
from apps.discussions.actions import open_thread
from apps.discussions.contents import SentFile
from apps.discussions.queries import get_subject
from apps.governance.actions import (
    create_environment,
    draft_policy,
    request_release,
    request_review,
    set_freeze,
)
from apps.governance.models import Decision, Environment, Release, ReviewRequest
from apps.identity.actions import begin_device_login, demand_second_factor, save_view
from apps.identity.api.devices import GRANT_TYPE
from apps.identity.events import PROJECT_UPDATED
from apps.identity.models import Project, RoleBinding, User
from apps.identity.rules.devices import shown_code
from apps.integrations.actions import add_stream, add_webhook
from apps.integrations.models import Stream, Webhook, WebhookDelivery
from apps.integrations.rules import StreamTerms, WebhookTerms
from apps.jobs.actions import enqueue
from apps.monitoring.actions import open_alert, set_objective
from apps.monitoring.actions.alerts import AlertFinding
from apps.monitoring.models import AlertKind
from apps.monitoring.rules import ObjectiveTerms
from apps.registry import actions as registered
from apps.registry.models import ModelVersion
from apps.registry.store import store
from apps.rollouts.actions import schedule_drills, start_rollout
from apps.serving.actions import allow_use, issue_endpoint_key, set_secret
from apps.serving.models import Endpoint, Target
from placet.kernel.actor import SYSTEM
from placet.kernel.clock import now, rfc3339
from placet_verify.log.checkpoint import verifier_key
from placet_verify.signing.keys import PrivateKey
from tests.support import break_glass
from tests.support.comment_files import scanned
from tests.support.database import owning_tables
from tests.support.enrolment import authenticator, enrolled_by_root, offered_passkey, signs_in_with
from tests.support.factories import (
    actor_of,
    person,
    project,
    service_account,
    sign_in,
    team,
    token_for,
)
from tests.support.nodes import SimulatedNode
from tests.support.signed_models import public_pem, signing_key
from tests.support.timestamps import StampAuthority
from tests.support.world import OPEN
from tests.support.world import World as Governed

ROLES = ("viewer", "contributor", "reviewer", "approver", "operator", "auditor", "admin")
ASSERTION = dict.fromkeys(("credential", "authenticator_data", "client_data", "signature"), "AA")
EVERYWHERE = {"operator", "auditor", "admin"}


@dataclass(slots=True)
class World:
    """What exists, and how to ask for it.

    ``values`` fill route parameters: ``"slug"`` for ``{slug}`` anywhere, or
    ``"targets/name"`` for ``{name}`` right after ``targets/``, or the whole route up to the
    parameter; the longest goes first.
    ``bodies`` are sent by ``"METHOD /route"``: JSON under ``/api/`` and ``/agent/``, a form
    elsewhere.
    """

    project: Project
    people: dict[str, User]
    clients: dict[str, Client]
    values: dict[str, str] = field(default_factory=dict)
    bodies: dict[str, Any] = field(default_factory=dict)

    def path(self, route: str) -> str:
        """Return ``route`` with its parameters filled in."""

        def fill(match: re.Match[str]) -> str:
            before, name = match[1], match[2]
            if (whole := route[: match.end()]) in self.values:
                return f"{before}/{self.values[whole]}"
            if f"{before}/{name}" in self.values:
                return f"{before}/{self.values[f'{before}/{name}']}"
            if name in self.values:
                return f"{before}/{self.values[name]}"
            raise KeyError(f"no value for {{{name}}} after {before}/: add one in world.py")

        return re.sub(r"([^/{}]*)/\{(\w+)\}", fill, route)


PARTS: list[Callable[[World], None]] = []


def part(function: Callable[[World], None]) -> Callable[[World], None]:
    """Have ``function`` add to every world."""
    PARTS.append(function)
    return function


def build() -> World:
    """Make one person of each role in the project ``risk``, a stranger, and every part.

    Operator, auditor and admin hold their role everywhere, the others in ``risk``; the stranger
    is signed in and contributes to another project.
    """
    risk, other = project("risk"), project("other")
    people = {
        role: person(role.capitalize(), {role: None if role in EVERYWHERE else risk})
        for role in ROLES
    }
    people["stranger"] = person("Stranger", {"contributor": other})
    clients = {"anonymous": Client(raise_request_exception=False)}
    for role, who in people.items():
        clients[role] = Client(raise_request_exception=False)
        sign_in(clients[role], who)
    world = World(project=risk, people=people, clients=clients)
    for add in PARTS:
        add(world)
    return world


@part
def identity(world: World) -> None:
    """People, teams, service accounts, roles and tokens that belong to none of those who ask; the
    approver among them has an enrolled passkey."""
    ada = person("Ada", {"viewer": world.project})
    bob = person("Bob")
    crew = team("Crew", ada, roles={"viewer": world.project})
    bot = service_account("bot", owner=ada, roles={"contributor": world.project})
    token_for(bot)
    kept = save_view("models", name="Ours", asked={"q": "churn"}, actor=actor_of(ada))
    enrolled_by_root(world.people["approver"], authenticator())
    world.values |= {
        "slug": world.project.slug,
        "docs/name": "search.html",
        "wheels/name": "agent.txt",
        "people/person": ada.pk,
        "members/person": ada.pk,
        "team": crew.pk,
        "team_id": crew.pk,
        "team_role": RoleBinding.objects.get(team=crew).pk,
        "account": bot.pk,
        "role": RoleBinding.objects.get(person=ada).pk,
        "token": bot.apitoken_set.get().pk,
        "passkey": offered_passkey(bob).pk,
        "view_id": kept.pk,
        "trial": "store",
    }
    waiting = begin_device_login(client="placet on a laptop", address="203.0.113.5")
    code = {"code": shown_code(waiting.user_code)}
    world.bodies |= {
        "POST /api/v1/device/code": {"client": "placet"},
        "POST /api/v1/device/token": {"grant_type": GRANT_TYPE, "device_code": "dev_x"},
        "GET /device/": code,
        "POST /device/confirm": code | {"name": "mine", "preset": "read", "days": "9"},
        "POST /device/deny": code,
        "POST /api/v1/projects": {"slug": "new", "name": "New"},
        "PATCH /api/v1/projects/{slug}": {"name": "Newer"},
        "POST /api/v1/people": {"email": "new@example.com", "name": "New"},
        "POST /administration/invite": {
            "email": "new@example.com",
            "name": "New",
            "role": "reviewer",
            "place": "risk/staging",
        },
        "POST /people/{person_id}/roles/give": {"role": "reviewer", "place": "risk"},
        "POST /administration/teams/new": {"name": "New"},
        "POST /administration/teams/{team_id}/members/add": {"who": bob.email},
        "POST /administration/teams/{team_id}/roles/give": {"role": "reviewer", "place": "risk"},
        "POST /api/v1/second-factor-demands": {"role": "responder"},
        "PATCH /api/v1/people/{person}": {"name": "Newer"},
        "POST /api/v1/people/{person}/reactivate": None,
        "POST /api/v1/people/{person}/erase": None,
        "PUT /api/v1/people/{person}/position": {"line": "second", "manager": bob.pk},
        "POST /api/v1/teams": {"name": "New"},
        "POST /api/v1/teams/{team}/members": {"person": bob.pk},
        "POST /api/v1/service-accounts": {"name": "new", "owner": ada.pk},
        "POST /api/v1/roles": {"role": "reviewer", "person": bob.pk, "project": "risk"},
        "POST /api/v1/tokens": {
            "name": "mine",
            "scopes": ["model.view"],
            "expires_at": rfc3339(now() + timedelta(9)),
        },
        "POST /api/v1/passkeys": {
            "authenticator": 2**31 - 1,
            "name": "x",
            "assertion": ASSERTION,
        },
        "POST /api/v1/passkeys/challenge": {"authenticator": 2**31 - 1},
        "POST /api/v1/passkeys/{passkey}/enrol": {"assertion": ASSERTION},
    }


@part
def jobs_and_audit(world: World) -> None:
    """A job of the project, and a log that is long enough for one full tile."""
    world.values["job"] = enqueue("permissions.nothing", project=world.project.pk).pk
    with record(SYSTEM) as log:
        for _ in range(256):
            log.add(PROJECT_UPDATED, world.project)
    write_checkpoint()
    world.values |= {"index": "0", "level": "0"}


@part
def timestamps(world: World) -> None:
    """A checkpoint that an authority stamped."""
    head = latest_checkpoint()
    assert head is not None
    with TemporaryDirectory() as folder:
        row = StampAuthority(Path(folder)).stamp(head)
    world.values |= {"size": str(row.size), "authority": row.authority}


@part
def retention(world: World) -> None:
    """A hold, the name of another, and an archive whose file is there."""
    made = place_hold(name="case-1", scope="everything", reason="x", actor=SYSTEM)
    digest, size = store().put_stream(BytesIO(b"an archive of old events"))
    with owning_tables():
        archive = Archive.objects.create(
            first=0,
            last=0,
            count=0,
            leaves="sha256:",
            size=1,
            file=f"sha256:{digest}",
            bytes=size,
            older_than=now(),
        )
    world.values |= {"hold": made.pk, "hold_id": made.pk, "archive": archive.pk}
    hold = {"name": "case-2", "scope": "everything", "reason": "x"}
    for place in ("/api/v1/audit/legal-holds", "/audit/holds/place"):
        world.bodies[f"POST {place}"] = hold
    for place in ("/api/v1/audit/legal-holds/{hold}/lift", "/audit/holds/{hold_id}/lift"):
        world.bodies[f"POST {place}"] = {"reason": "x"}
    for place in ("/api/v1/audit/retention", "/audit/retention/set"):
        world.bodies[f"POST {place}"] = {"days": 365}


@part
def witnesses(world: World) -> None:
    """A witness, a log that is witnessed, and what others would add."""
    one, other = PrivateKey.generate(), PrivateKey.generate()
    made = add_witness(name="vault", kind="file", address="vault", actor=SYSTEM)
    log = witness_log(key=verifier_key("example.com/log", one.public), actor=SYSTEM)
    world.values |= {"witness": made.pk, "witness_id": made.pk, "log": log.pk, "log_id": log.pk}
    named = {"name": "attic", "kind": "file", "address": "attic", "retain_days": 30}
    for place in ("/api/v1/audit/witnesses", "/audit/witnesses/add"):
        world.bodies[f"POST {place}"] = named
    key = {"key": verifier_key("example.com/other", other.public)}
    for place in ("/api/v1/audit/witnessed-logs", "/audit/witnessed-logs/add"):
        world.bodies[f"POST {place}"] = key


@part
def registry(world: World) -> None:
    """A complete draft with evidence, a finalised version with an alias, an upload under way."""
    model = registered.create_model(world.project, name="drafted", actor=SYSTEM)
    column = {"name": "x", "type": "long"}
    facts: Any = {
        "signature": {"inputs": [column], "outputs": [column]},
        "requirements": ["scikit-learn==1.7.2"],
    }
    draft, done, late = (registered.create_version(model, actor=SYSTEM, **facts) for _ in range(3))
    empty: Any = {"path": "model.joblib", "size": 0, "sha256": sha256(b"").hexdigest()}
    for version in (draft, done):
        registered.start_upload(version, actor=SYSTEM, **empty)
    registered.finalise(done, actor=SYSTEM)
    registered.set_alias(model, name="champion", version=done, actor=SYSTEM)
    fact = registered.add_evidence(draft, kind="metrics", data={"auc": 1}, actor=SYSTEM)
    more: Any = {"path": "more.bin", "size": 4, "sha256": sha256(b"more").hexdigest()}
    signer = registered.trust_signing_key(
        world.project, label="trained-here", pem=public_pem(signing_key()), actor=SYSTEM
    )
    version = "/api/v1/projects/{slug}/models/{name}/versions/{number}"
    world.values |= {
        "models/name": model.name,
        "versions/number": str(draft.number),
        "versions/a": str(draft.number),
        "compare/b": str(done.number),
        "files/path": "model.joblib",
        "alias": "champion",
        "evidence/evidence": fact.pk,
        "signing_key": signer.pk,
        "upload": registered.start_upload(late, actor=SYSTEM, **more).pk,
    }
    world.bodies |= {
        "POST /api/v1/projects/{slug}/models": {"name": "new"},
        "PATCH /api/v1/projects/{slug}/models/{name}": {"description": "new"},
        "PUT /api/v1/projects/{slug}/models/{name}/aliases/{alias}": {"version": 2},
        "POST /api/v1/projects/{slug}/models/{name}/versions": {},
        f"PATCH {version}": {"parameters": {}},
        f"PUT {version}/tags": {"tags": {}},
        f"PUT {version}/card": {"card": ""},
        f"POST {version}/uploads": more,
        "POST /api/v1/projects/{slug}/declarations": {
            "fact": "data_owner",
            "about": "sha256:" + "0" * 64,
            "person": "ada@example.com",
        },
        "POST /api/v1/projects/{slug}/signing-keys": {
            "label": "new",
            "pem": public_pem(signing_key()),
        },
        f"POST {version}/evidence": {"kind": "metrics", "data": {"auc": 1}},
    }


@part
def governance(world: World) -> None:
    """A release that waits, a decision, a policy draft and a freeze, all made by other people."""
    others = Governed(world.project.slug, existing=world.project)
    bento = others.bento(others.version("governed"))
    waiting = others.request("staging", bento, endpoint="waiting")
    decided = others.request("staging", others.bento(bento.version), endpoint="decided")
    place = others.environment("staging")
    draft = draft_policy(place, source=OPEN, actor=others.vera)
    freeze = set_freeze(place, reason="x", actor=others.vera)
    environment = "/api/v1/projects/{slug}/environments/{name}"
    world.values |= {
        "environments/name": "staging",
        "policies/number": str(draft.number),
        "freeze": freeze.pk,
        "release": waiting.pk,
        "decision": others.decide(decided, others.rex).pk,
        "decision_id": voided(waiting, others.rex.id).pk,
        "review": request_review(waiting, reviewers=[others.rita.id], actor=others.ada)[0].pk,
    }
    world.bodies |= {
        "POST /api/v1/projects/{slug}/environments": {"name": "edge"},
        f"PATCH {environment}": {"position": 15},
        f"POST {environment}/freezes": {"reason": "x"},
        f"POST {environment}/policies": {"source": OPEN},
        f"POST {environment}/policies/dry-run": {"source": OPEN},
        "POST /api/v1/projects/{slug}/releases": {
            "model": "governed",
            "version": 1,
            "environment": "development",
            "endpoint": "new",
        },
        "POST /api/v1/releases/{release}/decisions": {
            "verdict": "reject",  # each who decides may; an approval is asked of some
            "comment": "no",
            "statement_digest": waiting.request_digest,
        },
        "POST /api/v1/releases/{release}/decisions/challenge": {
            "verdict": "reject",  # each who decides may; an approval is asked of some
            "comment": "no",
            "statement_digest": waiting.request_digest,
        },
        "POST /api/v1/releases/{release}/comments": {"text": "?"},
        "POST /api/v1/absence": {"deputy": "nobody", "ends_at": "2099-01-01T00:00:00Z"},
        "POST /api/v1/releases/{release}/review-requests": {"reviewers": [others.rita.id]},
    }


def voided(release: Release, person: str) -> Decision:
    """Return a decision that does not count, on a release that waits on."""
    return Decision.objects.create(
        release=release,
        project=release.project,
        person=person,
        role="reviewer",
        verdict="approve",
        statement_digest=release.request_digest,
        envelope="{}",
        voided_reason="policy_changed",
    )


@part
def discussions(world: World) -> None:
    """A thread about the release that waits, by nobody of those who ask."""
    about = get_subject("release", world.values["release"], SYSTEM)
    files = [SentFile("auc.csv", b"0.9")]
    written = open_thread(about, text="Why?", files=files, actor=SYSTEM)
    said, file = written.comment, written.files[0]
    scanned(file)
    world.values |= {
        "discussions/kind": "release",
        "subject": about.id,
        "/discussions/{kind}": "version",  # a release is discussed among its own pages
        "/discussions/{kind}/{subject}": Release.objects.get(pk=about.id).version_id,
        "thread": said.thread_id,
        "thread_id": said.thread_id,
        "comments/comment": said.pk,
        "comment_id": said.pk,
        "files/file": file.pk,
        "file_id": file.pk,
    }
    for place in ("discussions/{kind}/{subject}/threads", "threads/{thread}/comments"):
        world.bodies[f"POST /api/v1/{place}"] = {"text": "?"}
    for place in ("discussions/{kind}/{subject}/open", "threads/{thread_id}/reply"):
        world.bodies[f"POST /{place}"] = {"text": "?"}
    edit = "/threads/{thread_id}/comments/{comment_id}/edit"
    world.bodies[f"POST {edit}"] = {"text": "!", "was": said.text_sealed}
    one = "threads/{thread}/comments/{comment}"
    world.bodies[f"PATCH /api/v1/{one}"] = {"text": "!"}


@part
def delivery(world: World) -> None:
    """A build that waits, a node, a rollout that has begun, and a key of its endpoint."""
    version = ModelVersion.objects.get(model__name="governed")
    place = Environment.objects.get(project=world.project, name="development")
    release = request_release(environment=place, endpoint="moving", version=version, actor=SYSTEM)
    target = release.endpoint.target
    SimulatedNode.joined(target)
    Target.objects.filter(pk=target.pk).update(url="http://127.0.0.1:9")  # nobody answers there
    rollout = start_rollout(release, actor=SYSTEM)
    key, _ = issue_endpoint_key(release.endpoint, name="shop", actor=SYSTEM)
    build = request_build(version, actor=SYSTEM)
    world.values |= {
        "build": build.pk,
        "bentos/digest": release.bento_id,
        "runtimes/digest": release.bento.runtime_id,
        "targets/name": target.name,
        "use": allow_use(target, project=world.project, environment="later", actor=SYSTEM)[0].pk,
        "environment": place.name,
        "endpoints/name": "moving",
        "endpoint": release.endpoint_id,
        "key": key.pk,
        "secret": set_secret(
            world.project, environment=place.name, name="db", value="x", actor=SYSTEM
        ).secret_id,
        "revision": "rev_1",
        "/agent/v1/secrets/{revision}/{name}": "db",
        "value": "sev_1",
        "rollout": rollout.pk,
        "sha256": "0" * 64,
    }
    reason = {"reason": "x"}
    world.bodies |= {
        "POST /api/v1/targets": {"name": "new"},
        "PATCH /api/v1/targets/{name}": {"capacity_mb": 9000},
        "POST /api/v1/targets/{name}/uses": {"project": world.project.slug, "environment": "new"},
        "POST /api/v1/projects/{slug}/environments/{environment}/endpoints": {
            "name": "new",
            "target": target.name,
        },
        "POST /api/v1/projects/{slug}/environments/{environment}/secrets": {
            "name": "new",
            "value": "x",
        },
        "POST /api/v1/secrets/{secret}/rotate": {"value": "y"},
        "POST /api/v1/endpoints/{endpoint}/scale": {"replicas": 1},
        "POST /api/v1/endpoints/{endpoint}/rollback": reason,
        "POST /api/v1/endpoints/{endpoint}/predict": {"age": 1.0},
        "POST /api/v1/endpoints/{endpoint}/keys": {"name": "x"},
        "POST /api/v1/rollouts/{rollout}/abort": reason,
        "POST /api/v1/rollouts/{rollout}/pause": reason,
        "POST /api/v1/rollouts/{rollout}/resume": reason | {"step": -1},
        "POST /api/v1/rollouts/{rollout}/skip": reason | {"step": -1},
        "POST /api/v1/rollouts/{rollout}/promote": reason | {"step": -1},
        "POST /api/v1/rollouts/{rollout}/passing/confirm": reason | {"digest": "sha256:0"},
        "POST /api/v1/rollouts/{rollout}/passing/decline": reason | {"digest": "sha256:0"},
        "POST /api/v1/rollouts/{rollout}/passing/withdraw": {"digest": "sha256:0"},
        "POST /api/v1/rollouts/{rollout}/ship": reason | {"step": -1},
        "POST /api/v1/rollouts/{rollout}/retry": reason,
        "POST /agent/v1/join": {"v": 1, "token": "x", "public_key": "x"},
    }


@part
def monitoring(world: World) -> None:
    """An objective of the endpoint, a schedule of drills, and an alert that a person may end."""
    endpoint = Endpoint.objects.get(pk=world.values["endpoint"])
    set_objective(endpoint, terms=ObjectiveTerms(availability=0.99), actor=SYSTEM)
    finding = AlertFinding(
        AlertKind.JOB_FAILED, subject="x", about="x", summary="x", endpoint=endpoint
    )
    alert = open_alert(finding, actor=SYSTEM)
    assert alert is not None
    world.values["alert"] = alert.pk
    world.bodies["PUT /api/v1/endpoints/{endpoint}/objective"] = {"availability": 0.9}
    schedule_drills(endpoint, every_days=30, hour=3, actor=SYSTEM)
    terms = {"every_days": 7, "hour": 4}
    world.bodies["PUT /api/v1/endpoints/{endpoint}/drill-schedule"] = terms
    world.bodies["POST /api/v1/endpoints/{endpoint}/erasures"] = {"unit": "u1"}
    world.bodies["POST /api/v1/endpoints/{endpoint}/outcomes"] = {
        "outcomes": [{"prediction": str(UUID(int=1)), "name": "chargeback", "value": 1}]
    }


@part
def integrations(world: World) -> None:
    """A stream of the whole log, which was blocked, and a webhook of it, which was disabled."""
    terms = StreamTerms("jsonl", "https://siem.example/in")
    stream = add_stream(name="siem", terms=terms, actor=SYSTEM)
    Stream.objects.filter(pk=stream.pk).update(state="blocked")
    world.values["stream"] = stream.pk
    world.bodies["POST /api/v1/streams"] = {
        "name": "new",
        "kind": "jsonl",
        "url": "https://siem.example/in",
    }
    world.bodies["POST /api/v1/streams/{stream}/rewind"] = {"index": 0}
    hook = add_webhook(
        name="hook", terms=WebhookTerms("https://hooks.example/in"), actor=SYSTEM
    ).webhook
    Webhook.objects.filter(pk=hook.pk).update(state="disabled", reason="gone")
    delivery = WebhookDelivery.objects.create(
        webhook=hook, index=0, kind="x.v1", created_at=now(), asked_at=now(), next_at=now()
    )
    world.values |= {"webhook": hook.pk, "delivery": delivery.pk}
    world.bodies["POST /api/v1/webhooks"] = {"name": "new", "url": "https://hooks.example/in"}
    world.bodies["PATCH /api/v1/webhooks/{webhook}"] = {"groups": ["releases"]}


@part
def notices(world: World) -> None:
    """What people choose of mails, and to watch."""
    choice = {"kind": "review", "way": "daily"}
    world.bodies |= {
        "POST /api/v1/notices/preferences": choice,
        "POST /api/v1/notices/watches": {"project": world.project.slug},
        "POST /notifications/project": choice | {"project": world.project.slug},
    }


@part
def assurance(world: World) -> None:
    """A recall of a Bento that a release of another endpoint waited with."""
    others = Governed(world.project.slug + "-more", existing=world.project)
    bento = others.bento(others.version("recalled"))
    request_release(
        environment=others.environment("staging"),
        endpoint="recalled",
        version=bento.version,
        bento=bento,
        actor=SYSTEM,
    )
    said = {"kind": "bento", "what": bento.pk, "reason": "x"}
    world.values["recall"] = recall(**said, project=world.project, actor=SYSTEM).pk
    body = said | {"project": world.project.slug}
    world.bodies |= {
        "POST /api/v1/recalls": body,
        "POST /api/v1/recalls/{recall}/lift": {"reason": "x"},
        "POST /recalls/create": body,
        "POST /recalls/{recall_id}/lift": {"reason": "x"},
    }


@part
def glass(world: World) -> None:
    """A break-glass of an environment that has them; somebody opened it, nobody confirmed it."""
    others = Governed(world.project.slug + "-glass", existing=world.project)
    create_environment(world.project, name="urgent", targets=[others.target], actor=SYSTEM)
    others.policy("urgent", break_glass.POLICY + break_glass.SAID)
    waiting = others.request("urgent", endpoint="urgent")
    opened = break_glass.opened(others, waiting)
    asked = Release.objects.get(pk=world.values["release"])  # its policy lets nobody break it
    opening = {"statement_digest": asked.request_digest, "reason": "x"}
    confirming = {"opening_digest": opened.opening_digest}
    review = {"finding": "justified", "findings": "x"}
    world.values |= {"glass": opened.pk, "glass_id": opened.pk}
    world.bodies |= {
        "POST /api/v1/releases/{release}/break-glass": opening,
        "POST /api/v1/releases/{release}/break-glass/challenge": opening,
        "POST /api/v1/break-glass/{glass}/confirm": confirming,
        "POST /api/v1/break-glass/{glass}/confirm/challenge": confirming,
        "POST /api/v1/break-glass/{glass}/review": review,
        "POST /releases/{release_id}/break-glass": opening | {"hours": "1"},
        "POST /break-glass/{glass_id}/confirm": confirming,
        "POST /break-glass/{glass_id}/review": review,
    }


@part
def pages(world: World) -> None:
    """What the pages ask for is what the API's routes ask for, under the pages' own names."""
    same = {
        "build_id": "build",
        "release_id": "release",
        "endpoint_id": "endpoint",
        "rollout_id": "rollout",
        "alert_id": "alert",
        "key_id": "key",
        "freeze_id": "freeze",
        "token_id": "token",
        "passkey_id": "passkey",
        "stream_id": "stream",
        "webhook_id": "webhook",
        "delivery_id": "delivery",
        "recall_id": "recall",
        "use_id": "use",
        "role_id": "role",
        "person_id": "people/person",
        "project": "slug",
    }
    world.values |= {page: world.values[name] for page, name in same.items()}
    registered_model = world.values["models/name"]
    version = ModelVersion.objects.get(
        model__name=registered_model, number=world.values["compare/b"]
    )
    policy = world.values["policies/number"]
    world.values |= {
        "verb": "stop",
        "step_verb": "pause",
        "stream_verb": "test",
        "webhook_verb": "test",
        "/models/{project}/{name}": registered_model,
        "/models/{project}/{name}/{number}": str(version.number),
        "draft_number": world.values["versions/number"],
        "save/part": "card",
        "/policies/{project}/{environment}": "staging",
        "/projects/{project}/environments/{environment}": "staging",
        "/policies/{project}/{environment}/{number}": policy,
    }
    form = "POST /models/{project}/{name}/{number}"
    draft = "POST /models/{project}/{name}/{draft_number}/draft"
    drafted = ModelVersion.objects.get(
        model__name=world.values["models/name"], number=world.values["versions/number"]
    )
    shown = Release.objects.get(pk=world.values["release"])
    world.bodies |= {
        "GET /models/{project}/{name}/compare/": {
            "v": [world.values["versions/a"], world.values["compare/b"]],
        },
        "GET /releases/new/": {"version": shown.version_id},
        "POST /projects/new": {"slug": "newer", "name": "Newer"},
        "POST /projects/{project}/members/{role_id}/remove": {"sure": "1"},
        "POST /people/{person_id}/roles/{role_id}/take": {"sure": "1"},
        "POST /administration/teams/{team_id}/roles/{team_role}/take": {"sure": "1"},
        "POST /projects/{project}/members/add": {"who": "bob@example.com", "role": "viewer"},
        "POST /projects/{project}/environments/{environment}/promote": {
            "to": "",
            "version": str(shown.environment.revision),
        },
        "POST /projects/{project}/environments/{environment}/reviews": {
            "review_days": "3",
            "version": str(shown.environment.revision),
        },
        "POST /projects/{project}/settings/save": {"name": "Newer", "version": "1"},
        "POST /models/new": {"project": world.project.slug, "name": "newer"},
        f"{form}/alias": {"alias": "candidate"},
        f"{draft}/copy": {"from": str(version.number)},
        f"{draft}/discard": {"generation": str(drafted.generation)},
        f"{draft}/files": {"files": SimpleNamespace(name="a.bin", read=lambda: b"a")},
        f"{draft}/files/remove": {"path": "model.joblib"},
        f"{draft}/save/{{part}}": {"card": "x"},
        f"{form}/card": {"card": "x"},
        f"{form}/metrics": {"metrics": "auc: 0.9"},
        f"{form}/people/declare": {
            "fact": "data_owner",
            "about": "sha256:" + "0" * 64,
            "person": "ada@example.com",
        },
        "POST /signing-keys/{project}/trust": {"label": "new", "pem": public_pem(signing_key())},
        "POST /releases/request": {
            "version": shown.version_id,
            "environment": "development",
            "endpoint": "fresh",
            "bento": shown.bento_id,
        },
        "POST /releases/{release_id}/decide": {
            "verdict": "reject",  # each who decides may; an approval is asked of some
            "comment": "no",
            "statement_digest": shown.request_digest,
        },
        "POST /projects/{project}/environments/{environment}/secrets/set": {
            "name": "new",
            "value": "x",
        },
        "POST /releases/{release_id}/comment": {"comment": "?"},
        "POST /releases/{release_id}/withdraw": {},
        "POST /absence/set": {
            "deputy": ReviewRequest.objects.get(pk=world.values["review"]).person,
            "ends_at": f"{now() + timedelta(days=9):%Y-%m-%d}",
        },
        "POST /releases/{release_id}/reviewers/ask": {"reviewers": ["somebody"]},
        "POST /releases/{release_id}/changes/withdraw": {"replaces": world.values["decision"]},
        "POST /rollouts/{rollout_id}/abort": {"reason": "x"},
        "POST /rollouts/{rollout_id}/do/{step_verb}": {"reason": "x"},
        "POST /endpoints/{endpoint_id}/scale": {"replicas": "1"},
        "POST /endpoints/{endpoint_id}/keys": {"name": "x"},
        "POST /endpoints/{endpoint_id}/key-rule": {"required": "yes"},
        "POST /endpoints/{endpoint_id}/erase": {"unit": "u1"},
        "POST /endpoints/{endpoint_id}/objective": {
            "availability": "99",
            "window_minutes": "15",
            "min_requests": "10",
            "generation": "0",
        },
        "POST /endpoints/{endpoint_id}/drill-schedule": {
            "every_days": "7",
            "hour": "4",
            "generation": "0",
        },
        "POST /streams/new": {
            "name": "new",
            "kind": "jsonl",
            "url": "https://siem.example/in",
            "alert_after_minutes": "15",
        },
        "POST /streams/{stream_id}/rewind": {"index": "0"},
        "POST /streams/{stream_id}/remove": {"generation": "0"},
        "POST /webhooks/new": {"name": "new", "url": "https://hooks.example/in"},
        "POST /webhooks/{webhook_id}/change": {"generation": "0", "groups": "releases"},
        "POST /webhooks/{webhook_id}/remove": {"generation": "0"},
        "POST /targets/new": {"name": "fresh", "capacity_mb": "4096"},
        "POST /targets/{name}/address": {"url": "https://models.example", "revision": "1"},
        "POST /targets/{name}/owner": {"owner": world.values["people/person"], "revision": "1"},
        "POST /targets/{name}/uses/add": {"project": world.project.slug, "environment": "new"},
        "POST /policies/{project}/{environment}/draft": {"source": OPEN},
        "POST /policies/{project}/{environment}/{number}/decide": {"do": "withdraw", "sure": "1"},
        "POST /policies/{project}/{environment}/freeze": {"reason": "x"},
        "POST /passkeys/offer": {"authenticator": "1", "name": "x"},
        "POST /passkeys/{passkey_id}/enrol": {"assertion": json.dumps(ASSERTION)},
        "POST /views/save": {"list": "models", "name": "mine", "q": "churn"},
        "POST /tokens/end": {"chosen": world.values["token"]},
        "POST /administration/tokens/revoke": {"chosen": world.values["token"]},
        "POST /releases/withdraw": {"chosen": world.values["release"]},
        "POST /alerts/acknowledge": {"chosen": world.values["alert"]},
        "POST /tokens/new": {"name": "mine", "scopes": ["model.view"], "days": "9"},
    }


@part
def second_factors(world: World) -> None:
    """A role that demands a second factor, which all who hold it have."""
    for responder in User.objects.filter(rolebinding__role="responder").distinct():
        signs_in_with(responder, authenticator())
    demanded = demand_second_factor("responder", actor=SYSTEM)
    world.values |= {"demanding_role": demanded.role}
