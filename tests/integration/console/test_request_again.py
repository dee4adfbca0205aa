"""A release that ended is requested again: as it was, with what changed since, or not at all."""

import re
from datetime import timedelta
from html import unescape
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from apps.assurance.actions import recall
from apps.governance.actions import update_environment
from apps.governance.models import Release
from apps.identity.actions import place_person
from apps.registry.actions import add_evidence, set_card
from placet.kernel.actor import SYSTEM
from placet.kernel.clock import now
from tests.integration.console.test_release_form import FAIR, STRICTER, tight
from tests.support import factories
from tests.support.factories import browser
from tests.support.world import World

pytestmark = pytest.mark.django_db


def test_a_release_that_ended_is_requested_again_as_it_was(world: World) -> None:
    bento = world.bento(world.version(variables=["REGION"]))
    serving = {
        "replicas": 2,
        "max_replicas": 4,
        "memory_mb": 512,
        "unit": {"header": "X-User"},
        "egress": ["features.example.com:443"],
        "variables": {"REGION": "eu & us"},
        "capture": {"percent": 5},
    }
    plan = {"preset": "canary", "start": "manual"}
    more = {"serving": serving, "plan": plan, "reason": "<b>Fresher</b>"}
    release = world.request("staging", bento, endpoint="other", **more)
    client = browser(world.people["Ada"])
    page = client.get(f"/releases/{release.pk}/").content.decode()
    assert 'data-dialog="withdraw"' in page
    assert "Request again" not in page
    client.post(f"/releases/{release.pk}/withdraw")
    page = client.get(f"/releases/{release.pk}/").content.decode()
    address = re.search(r'href="([^"]+)">\s*Request again', page)
    assert address
    assert f"again={release.pk}" in address[1]
    assert not [word for word in ("eu", "Fresher", "features.example") if word in address[1]]
    with CaptureQueriesContext(connection) as caught:
        form_page = tight(client.get(unescape(address[1])).content)
    assert len(caught) <= 12
    sid = browser(factories.person("Sid", {"approver": factories.project("elsewhere")}))
    assert sid.get(unescape(address[1])).status_code == 404
    for value in ("other", "2", "4", "512", "X-User", "eu &amp; us"):
        assert f'value="{value}"' in form_page, value
    assert re.search(r'name="capture"[^>]*value="5"', form_page)
    assert '<option value="staging" selected>' in form_page
    assert '<option value="manual" selected>' in form_page
    assert "features.example.com:443</textarea>" in form_page
    assert "&lt;b&gt;Fresher&lt;/b&gt;</textarea>" in form_page
    assert re.search(r'value="canary" checked', form_page)
    assert (
        "Request again"
        not in browser(world.people["Rex"]).get(f"/releases/{release.pk}/").content.decode()
    )


def test_who_requests_again_reads_who_rejected_it_why_and_what_changed_since(world: World) -> None:
    """In the form, and in it as it comes back with what was wrong."""
    bento = world.bento(world.version())
    world.version(finalised_at=now() - timedelta(minutes=1))  # it was there already
    release = world.request("staging", bento)
    world.decide(release, world.rex, verdict="reject", comment="No <b>fairness</b> report")
    client = browser(world.people["Ada"])
    address = f"/releases/new/?again={release.pk}"
    same = tight(client.get(address).content)
    assert "Rex risk rejected release 1 (as reviewer)" in same
    assert "“No &lt;b&gt;fairness&lt;/b&gt; report”" in same
    assert f'<a href="/releases/{release.pk}/">Open release 1</a>' in same
    assert "No newer version or build since, no new evidence, the same model card" in same
    add_evidence(bento.version, kind="fairness", data=FAIR, actor=world.alan)
    set_card(bento.version, card="# Churn, for whom it is fair", actor=world.alan)
    world.soaked(world.bento(world.version(finalised_at=now())))
    place_person(world.people["Rita"], line="second", actor=SYSTEM)
    world.policy("staging", STRICTER)
    with CaptureQueriesContext(connection) as caught:
        later = tight(client.get(address).content)
    assert len(caught) <= 12
    since = later.split("What changed since:")[1].split("</ul>")[0]
    assert re.findall(r"<li[^>]*>([^<]*)</li>", since) == [
        "churn:3 is newer than this version.",
        "New evidence: fairness.",
        "The model card was changed.",
        "Policy r2 is active in staging; it was r1.",
        "Live at churn now: churn:3; it was nothing.",
    ]
    fields = {"version": release.version_id, "bento": bento.pk, "endpoint": "churn"}
    wrong = fields | {"environment": "staging", "replicas": "two", "again": release.pk}
    refused = tight(client.post("/releases/request", wrong).content)
    assert "Rex risk rejected release 1" in refused
    assert f'name="next" value="{address}"' in refused
    secret = World("secret").request("staging")
    strange = tight(client.post("/releases/request", wrong | {"again": secret.pk}).content)
    assert "rejected release" not in strange
    assert client.get(f"/releases/new/?again={secret.pk}").status_code == 404


@pytest.mark.parametrize(
    ("plan", "key"),
    [
        ({"preset": "canary_paused"}, "canary_paused"),
        ({"preset": "quiet"}, "staging/quiet"),
        ({"strategy": "canary", "steps": [{"set_weight": 30}, {"set_weight": 100}]}, "as_former"),
    ],
)
def test_a_release_is_requested_again_with_the_plan_that_it_had(
    world: World, plan: dict[str, Any], key: str
) -> None:
    quiet = {"strategy": "canary", "steps": [{"set_weight": 20}, {"set_weight": 100}]}
    update_environment(world.environment("staging"), plans={"quiet": quiet}, actor=SYSTEM)
    bento = world.bento(world.version())
    first = world.request("staging", bento, plan=plan | {"start": "manual"})
    client = browser(world.people["Ada"])
    client.post(f"/releases/{first.pk}/withdraw")
    page = tight(client.get(f"/releases/new/?again={first.pk}").content)
    assert re.findall(r'name="plan" value="([^"]*)" checked', page) == [key]
    assert ("As release 1" in page) == (key == "as_former")
    fields = {"version": bento.version.pk, "bento": bento.pk, "endpoint": "churn"}
    client.post(
        "/releases/request", fields | {"environment": "staging", "plan": key, "again": first.pk}
    )
    assert Release.objects.get(number=2).plan == first.plan


def test_a_release_of_what_is_recalled_is_not_requested_again(world: World) -> None:
    release = world.request("staging", world.bento(world.version()))
    client = browser(world.people["Ada"])
    client.post(f"/releases/{release.pk}/withdraw")
    page = tight(client.get(f"/releases/{release.pk}/").content)
    assert "a new release can be requested" in page and "Request again" in page
    recall(
        kind="version",
        what=release.version_id,
        reason="Wrong labels",
        project=world.project,
        actor=world.otto,
    )
    page = tight(client.get(f"/releases/{release.pk}/").content)
    assert "a new release can be requested" not in page and "Request again" not in page
    assert "Nothing was deployed. churn:1 is recalled: it can&#x27;t be released." in page
    page = tight(client.get(f"/releases/new/?again={release.pk}").content)
    assert "churn:1 is recalled." in page.split("What changed since:")[1]
