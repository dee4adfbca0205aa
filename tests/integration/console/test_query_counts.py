"""Each page and each list with many rows, against committed baselines: how many queries it takes,
and what a page says.

After a change that is meant: ``PLACET_RENEW_PAGES=1 pytest <this file>``, read the difference, and
say why in the commit.
"""

import os
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import get_resolver

from apps.assurance.actions import place_hold, recall
from apps.assurance.models import Recall
from apps.audit import events
from apps.audit.actions import write_checkpoint
from apps.audit.actions.cosigning import witness_log
from apps.audit.actions.witnesses import add_witness
from apps.discussions.actions import open_thread, reply
from apps.discussions.models import Thread
from apps.discussions.queries import get_subject
from apps.governance.models import BreakGlass, Decision, Release
from apps.identity.actions import begin_device_login
from apps.integrations.actions import add_stream, add_webhook
from apps.integrations.models import Stream, Webhook, WebhookAttempt, WebhookDelivery
from apps.integrations.rules import StreamTerms, WebhookTerms
from apps.notices.actions import choose, watch_release
from apps.notices.rules import KINDS
from apps.registry.actions import set_alias
from apps.registry.models import ArtifactFile, ModelVersion, Upload
from apps.serving.actions import issue_endpoint_key, set_secret
from apps.serving.models import Revision
from placet.kernel.actor import SYSTEM, Actor
from placet.kernel.clock import now
from placet_verify.log.checkpoint import verifier_key
from placet_verify.signing.keys import PrivateKey
from tests.support import break_glass, factories
from tests.support.enrolment import offered_passkey
from tests.support.factories import browser
from tests.support.page_text import text_of
from tests.support.world import World

pytestmark = pytest.mark.django_db
COUNTS = Path(__file__).with_name("query_counts.txt")
TEXTS = Path(__file__).with_name("page_texts.txt")
MOST = 12
ROWS = 8


def many(world: World) -> Release:
    """Make several of everything that a page lists; return a live release."""
    release = world.live(bento=world.bento(world.version(), metrics={"auc": 0.9}))
    discussed(world, release)
    for number in range(ROWS):
        version = world.version(f"model-{number}")
        moved = world.live("development", bento=world.bento(version, metrics={"auc": 0.9}))
        set_alias(version.model, name=f"alias-{number}", version=version, actor=SYSTEM)
        issue_endpoint_key(moved.endpoint, name=f"key {number}", actor=SYSTEM)
        set_secret(
            world.project,
            environment="development",
            name=f"secret-{number}",
            value="x",
            actor=SYSTEM,
        )
        waits = world.request("staging", world.bento(world.version()), endpoint=f"waits-{number}")
    world.decide(waits, world.rex)
    for number, state in enumerate(("stopped", "warm", "live"), 1):
        Revision.objects.create(
            endpoint=release.endpoint,
            project=release.project,
            bento=release.bento,
            number=number,
            release=release.pk,
            permit="{}",
            state=state,
        )
        who = factories.person(f"Signer {number}", roles={"approver": world.project})
        offered_passkey(who)
    for number in range(ROWS):
        terms = StreamTerms("jsonl", "https://siem.example/in")
        add_stream(name=f"siem-{number}", terms=terms, project=world.project, actor=SYSTEM)
        hook = add_webhook(
            name=f"hook-{number}",
            terms=WebhookTerms("https://hooks.example/in", ("releases",)),
            project=world.project,
            actor=SYSTEM,
        ).webhook
        for index in range(ROWS):
            deliver(hook, index, attempts=number + 1)
        place_hold(name=f"h{number}", scope="everything", reason=f"{number}", actor=SYSTEM)
        add_witness(name=f"w{number}", kind="file", address=f"w{number}", actor=SYSTEM)
        log = verifier_key(f"log/{number}", PrivateKey.generate().public)
        witness_log(key=log, actor=SYSTEM)
    world.policy("staging", break_glass.POLICY + break_glass.SAID)
    urgent = [world.request("staging", endpoint=f"urgent{n}") for n in range(3)]
    break_glass.confirmed(world, break_glass.opened(world, urgent[0]))
    for waits in urgent[1:]:
        break_glass.opened(world, waits)
    draft = world.version("model-0", state="draft", signature=None)
    for number in range(ROWS):
        path = f"{number}.bin" if number else "model.joblib"
        file: Any = {"version": draft, "size": 9, "sha256": "0" * 64}
        ArtifactFile.objects.create(project=world.project, path=path, **file)
        Upload.objects.create(path=f"sent-{number}.bin", created_by=draft.author, **file)
    recalled = world.request("staging", world.bento(world.version()), endpoint="recalled")
    said = {"kind": "bento", "what": recalled.bento_id, "reason": "x"}
    recall(**said, project=world.project, actor=SYSTEM)
    write_checkpoint()
    return release


def discussed(world: World, release: Release) -> None:
    """Have several discussions of a release, in each of which several people say something."""
    about = get_subject("release", release.pk, SYSTEM)
    people = [factories.actor_of(person) for person in world.people.values()]
    for number in range(ROWS):
        opened = {"text": f"Why {number}?", "anchor": "metrics"}
        said = open_thread(about, **opened, actor=people[number % len(people)])
        for person in people:
            reply(said.comment.thread, text="See the *evidence*, @rex.risk", actor=person)


def deliver(hook: Webhook, index: int, *, attempts: int) -> None:
    """Have a webhook sent an event in vain so often."""
    delivery = WebhookDelivery.objects.create(
        id=f"whd_{attempts:02}{index:04}",  # listed by it, and made in one millisecond
        webhook=hook,
        index=index,
        kind="release.requested.v1",
        attempts=attempts,
        created_at=now(),
        asked_at=now(),
        next_at=now() + timedelta(hours=1),
        tries=attempts,
        status=500,
        fault="answered",
    )
    for number in range(attempts):
        WebhookAttempt.objects.create(
            delivery=delivery,
            number=number + 1,
            at=now(),
            seconds=0.25,
            headers={"webhook-id": delivery.pk},
            status=500,
            answer="out of order",
            fault="answered",
        )


def paths(release: Release) -> dict[str, str]:
    """Return every page and every list by the name that the baseline has for it."""
    version = release.version
    project, model, number = version.project.slug, version.model.name, version.number
    one, draft = f"/models/{project}/{model}/", ModelVersion.objects.get(state="draft").number
    api, glass = f"/api/v1/projects/{project}", BreakGlass.objects.earliest("pk").pk
    code = begin_device_login(client="placet", address="203.0.113.5").user_code
    named = {
        "/device/?code={code}": f"/device/?code={code}",
        "/projects/{project}/": f"/projects/{project}/",
        "/projects/{project}/members/": f"/projects/{project}/members/",
        "/projects/{project}/activity/": f"/projects/{project}/activity/",
        "/projects/{project}/figures/": f"/projects/{project}/figures/",
        "/projects/{project}/environments/{environment}/": (
            f"/projects/{project}/environments/development/"
        ),
        "/projects/{project}/environments/{environment}/secrets/": (
            f"/projects/{project}/environments/development/secrets/"
        ),
        "/people/{person}/": f"/people/{release.requester}/",
        "/models/{project}/{name}/": one,
        "/models/{project}/{name}/{number}/": f"{one}{number}/",
        "/models/{project}/{name}/{draft}/draft/": f"/models/{project}/model-0/{draft}/draft/",
        "/models/{project}/{name}/{number}/people/": f"{one}{number}/people/",
        "/models/{project}/{name}/compare/": f"{one}compare/?v={number}&v={number + 1}",
        "/builds/{build}/": f"/builds/{release.bento.build_id}/",
        "/releases/new/": f"/releases/new/?version={version.pk}",
        "/releases/{release}/": f"/releases/{release.pk}/",
        "/releases/{release}/evidence/": f"/releases/{release.pk}/evidence/",
        "/releases/{release}/discussion/": f"/releases/{release.pk}/discussion/",
        "/discussions/version/{version}/": f"/discussions/version/{version.pk}/",
        "/threads/{thread}/": f"/threads/{Thread.objects.earliest('pk').pk}/",
        "/api/v1/discussions/release/{release}/threads": (
            f"/api/v1/discussions/release/{release.pk}/threads"
        ),
        "/api/v1/threads/{thread}/comments": (
            f"/api/v1/threads/{Thread.objects.earliest('pk').pk}/comments"
        ),
        "/releases/{release}/behaviour/": f"/releases/{release.pk}/behaviour/",
        "/releases/{release}/attempts/": f"/releases/{release.pk}/attempts/",
        "/releases/{release}/decisions/{decision}/": (
            f"/releases/{(made := Decision.objects.get()).release_id}/decisions/{made.pk}/"
        ),
        "/api/v1/decisions/{decision}": f"/api/v1/decisions/{made.pk}",
        "/endpoints/{endpoint}/": f"/endpoints/{release.endpoint_id}/",
        **{
            f"/endpoints/{{endpoint}}/{tab}/": f"/endpoints/{release.endpoint_id}/{tab}/"
            for tab in ("revisions", "test", "use", "settings", "predictions")
        },
        "/recalls/{recall}/": f"/recalls/{Recall.objects.get().pk}/",
        "/api/v1/recalls/{recall}": f"/api/v1/recalls/{Recall.objects.get().pk}",
        "/recalls/new/?kind={kind}": "/recalls/new/?kind=version&project=risk&what=" + version.pk,
        "/break-glass/{glass}/": f"/break-glass/{glass}/",
        "/api/v1/break-glass/{glass}": f"/api/v1/break-glass/{glass}",
        "/policies/{project}/{environment}/": f"/policies/{project}/staging/",
        "/policies/{project}/{environment}/{number}/": f"/policies/{project}/staging/1/",
        "/api/v1/projects/{project}/declarations": f"{api}/declarations",
        "/signing-keys/{project}/": f"/signing-keys/{project}/",
        "/api/v1/projects/{project}/signing-keys": f"{api}/signing-keys",
        "/api/v1/projects/{project}/models": f"{api}/models",
        "/api/v1/projects/{project}/models/{name}/versions": f"{api}/models/{model}/versions",
        "/api/v1/projects/{project}/models/{name}/aliases": f"{api}/models/{model}/aliases",
        "/api/v1/projects/{project}/environments": f"{api}/environments",
        "/api/v1/projects/{project}/releases": f"{api}/releases",
        "/api/v1/releases/{release}": f"/api/v1/releases/{release.pk}",
        "/api/v1/releases/{release}/attempts": f"/api/v1/releases/{release.pk}/attempts",
        "/api/v1/releases/{release}/passed-over": f"/api/v1/releases/{release.pk}/passed-over",
        "/api/v1/endpoints/{endpoint}": f"/api/v1/endpoints/{release.endpoint_id}",
        "/targets/{target}/": f"/targets/{release.endpoint.target.name}/",
        "/api/v1/targets/{target}/uses": f"/api/v1/targets/{release.endpoint.target.name}/uses",
        "/streams/{stream}/": f"/streams/{Stream.objects.earliest('pk').pk}/",
        "/webhooks/{webhook}/": f"/webhooks/{(hook := Webhook.objects.earliest('pk').pk)}/",
        "/webhooks/{webhook}/deliveries/{delivery}/": (
            f"/webhooks/{hook}/deliveries/{(sent := WebhookDelivery.objects.earliest('pk').pk)}/"
        ),
        "/api/v1/webhooks/{webhook}": f"/api/v1/webhooks/{hook}",
        "/api/v1/webhooks/{webhook}/deliveries": f"/api/v1/webhooks/{hook}/deliveries",
        "/api/v1/webhooks/{webhook}/deliveries/{delivery}": (
            f"/api/v1/webhooks/{hook}/deliveries/{sent}"
        ),
    }
    plain = [
        "/",
        "/inbox/",
        "/search/?q=model",
        "/projects/",
        "/models/",
        "/models/?q=model",
        "/releases/",
        "/releases/?state=live",
        "/endpoints/",
        "/deployments/",
        "/api/v1/deployments",
        "/targets/",
        "/policies/",
        "/notifications/",
        "/api/v1/notices/preferences",
        "/api/v1/notices/watches",
        "/tokens/",
        "/absence/",
        "/administration/",
        "/administration/roles/",
        "/administration/teams/",
        "/passkeys/",
        "/duties/",
        "/api/v1/duties",
        "/audit/",
        "/api/v1/passkeys",
        "/recalls/",
        "/api/v1/recalls",
        "/break-glass/",
        "/api/v1/break-glass",
        "/audit/retention/",
        "/audit/verification/",
        "/api/v1/audit/legal-holds",
        "/api/v1/audit/archives",
        "/api/v1/audit/timestamps",
        "/api/v1/audit/retention",
        "/audit/witnesses/",
        "/api/v1/audit/witnesses",
        "/api/v1/audit/witnessed-logs",
        "/api/v1/audit/checkpoint",
        "/audit/?people=1",
        "/audit/0/",
        "/api/v1/search?q=model",
        "/api/v1/releases",
        "/api/v1/inbox",
        "/api/v1/inbox/tasks",
        "/api/v1/rollouts",
        "/api/v1/targets",
        "/api/v1/tokens",
        "/api/v1/jobs",
        "/api/v1/audit/events",
        "/api/v1/projects",
        "/api/v1/people",
        "/api/v1/teams",
        "/api/v1/service-accounts",
        "/api/v1/positions",
        "/api/v1/roles",
        "/api/v1/streams",
        "/streams/",
        "/api/v1/webhooks",
        "/webhooks/",
    ]
    return named | {path: path for path in plain}


def notified(world: World, who: Actor) -> None:
    """Have somebody watch several releases, and choose mails."""
    for row in Release.objects.order_by("pk")[:ROWS]:
        watch_release(row, is_on=True, actor=who)
    for kind in KINDS.keys() - {"token"}:
        choose(kind, way="daily", project=world.project, actor=who)


def visited(client: Client, path: str) -> tuple[int, str]:
    """Return how many queries a page takes, and what it says."""
    with CaptureQueriesContext(connection) as caught:
        answer = client.get(path)
    assert answer.status_code == 200, f"{path}: {answer.status_code}"
    is_page = answer["Content-Type"].startswith("text/html")
    return len(caught), text_of(answer.content.decode()) if is_page else ""


@pytest.fixture
def own_kinds(monkeypatch: pytest.MonkeyPatch) -> None:
    """The product's kinds of event alone, whatever other tests of this process have declared."""
    assert get_resolver().url_patterns  # what is declared below is forgotten with the patch
    mine = {name: kind for name, kind in events.kinds().items() if not name.startswith("test.")}
    monkeypatch.setattr(events, "_KINDS", mine)


@pytest.mark.usefixtures("own_kinds")
def test_no_page_takes_more_queries_than_it_did_or_says_something_else(world: World) -> None:
    release = many(world)
    here = dict.fromkeys(("contributor", "reviewer", "approver"), world.project)
    eve = factories.person("Eve", roles={"auditor": None, **here})
    notified(world, factories.actor_of(eve))
    client = browser(eve)
    seen = {name: visited(client, path) for name, path in sorted(paths(release).items())}
    now = {name: count for name, (count, _) in seen.items()}
    texts = "".join(f"=== {name}\n{text}\n" for name, (_, text) in seen.items() if text)
    if os.environ.get("PLACET_RENEW_PAGES"):
        COUNTS.write_text("".join(f"{count:>3}  {name}\n" for name, count in now.items()))
        TEXTS.write_text(texts)
    lines = [line.split() for line in COUNTS.read_text().splitlines()]
    before = {name: int(count) for count, name in lines}
    assert now.keys() == before.keys(), "renew query_counts.txt: a page came or went"
    assert {n: (before[n], count) for n, count in now.items() if count > before[n]} == {}
    assert {n: count for n, count in now.items() if count > MOST} == {}
    assert texts.splitlines() == TEXTS.read_text().splitlines()
