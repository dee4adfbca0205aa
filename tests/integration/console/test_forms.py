"""What the forms of the pages do, what they refuse, and that sending one twice does no harm."""

import re
from typing import Any
from urllib.parse import quote

import pytest
from django.http import HttpResponse

from apps.builds.models import Build
from apps.governance.models import Freeze, PolicyRevision, Release
from apps.identity.models import ApiToken
from apps.registry.models import Alias, RegisteredModel
from apps.serving.models import EndpointKey
from tests.support import factories
from tests.support.factories import browser
from tests.support.world import OPEN, World

pytestmark = pytest.mark.django_db


def send(world: World, who: str, path: str, **fields: Any) -> HttpResponse:
    """Send a form of a page as one of the world's people."""
    return browser(world.people[who]).post(path, fields)  # type: ignore[return-value]


def decide(
    world: World, who: str, release: Release, verdict: str = "approve", comment: str = "I looked"
) -> HttpResponse:
    release.refresh_from_db()
    return send(
        world,
        who,
        f"/releases/{release.pk}/decide",
        verdict=verdict,
        statement_digest=release.request_digest,
        comment=comment,
        next=f"/releases/{release.pk}/",
    )


def test_a_reviewer_approves_once_however_often_the_form_is_sent(world: World) -> None:
    release = world.request("staging")
    for _ in range(2):
        answer = decide(world, "Rex", release)
        assert answer.status_code == 302
    assert release.decisions.count() == 1
    release.refresh_from_db()
    assert release.state != "requested"


def test_a_reviewer_rejects(world: World) -> None:
    release = world.request("staging")
    decide(world, "Rex", release, "reject", "   ")
    assert not release.decisions.exists(), "who asked is told why"
    decide(world, "Rex", release, "reject")
    release.refresh_from_db()
    assert release.state == "rejected"


def test_a_leaf_leads_to_its_proof_for_who_may_read_the_log(world: World) -> None:
    release = world.request("staging")
    shown = browser(world.people["Ada"]).get(f"/releases/{release.pk}/").content.decode()
    assert '<span class="leaf">event #' in shown
    assert "/audit/" not in shown.split("Activity</h2>", 1)[1].split("</main>")[0]
    auditor = factories.person("Aude", roles={"auditor": world.project})
    page = browser(auditor).get(f"/releases/{release.pk}/").content.decode()
    assert '<a class="leaf" href="/audit/' in page


def test_the_requester_is_refused_in_a_sentence(world: World) -> None:
    release = world.request("staging")
    client = browser(world.people["Ada"])
    page = f"/releases/{release.pk}/"
    answer = client.post(
        f"{page}decide",
        {"verdict": "approve", "statement_digest": release.request_digest, "next": page},
        follow=True,
    )
    assert b"alert-danger" in answer.content
    assert not release.decisions.exists()


def test_the_requester_withdraws(world: World) -> None:
    release = world.request("staging")
    send(world, "Ada", f"/releases/{release.pk}/withdraw")
    release.refresh_from_db()
    assert release.state == "withdrawn"


def test_a_comment_shows_in_the_story_as_text(world: World) -> None:
    release = world.request("staging")
    send(world, "Rex", f"/releases/{release.pk}/comment", comment="<b>Is it</b> stable?")
    shown = browser(world.people["Ada"]).get(f"/releases/{release.pk}/").content
    assert b"&lt;b&gt;Is it&lt;/b&gt; stable?" in shown


@pytest.mark.parametrize("form", ["comment", "decide"])
def test_who_names_somebody_beside_a_decision_reads_that_it_mentions_nobody(
    world: World, form: str
) -> None:
    release = world.request("staging")
    sent = {"verdict": "reject", "statement_digest": release.request_digest}
    sent["comment"] = "Ask @vera.risk, not me@example.com"
    place = f"/releases/{release.pk}/{form}"
    page = browser(world.people["Rex"]).post(place, sent, follow=True).content.decode()
    told = "@vera.risk was not told: only a comment in a discussion mentions people"
    assert page.count("was not told") == page.count(told) == 1


def test_an_approver_freezes_and_lifts(world: World) -> None:
    manager = "Otto" if world.otto.can_somewhere("freeze.set") else "Vera"
    send(world, manager, "/policies/risk/staging/freeze", reason="Quarter end")
    freeze = Freeze.objects.get()
    assert freeze.lifted_at is None
    send(world, manager, f"/freezes/{freeze.pk}/lift")
    freeze.refresh_from_db()
    assert freeze.lifted_at is not None


def test_a_policy_is_drafted_by_one_and_published_by_another(world: World) -> None:
    place = "/policies/risk/staging/"
    send(world, "Vera", f"{place}draft", source=OPEN, do="draft")
    draft = PolicyRevision.objects.get(state="draft")
    send(world, "Vera", f"{place}{draft.number}/decide", do="publish", sure="1", next=place)
    draft.refresh_from_db()
    assert draft.state == "draft"
    send(world, "Vito", f"{place}{draft.number}/decide", do="publish", sure="1", next=place)
    draft.refresh_from_db()
    assert draft.state == "published"


def test_a_faulty_policy_comes_back_with_what_was_typed(world: World) -> None:
    answer = send(world, "Vera", "/policies/risk/staging/draft", source="gates: [nonsense", do="x")
    assert b"gates: [nonsense" in answer.content
    assert not PolicyRevision.objects.filter(state="draft").exists()


def test_an_api_token_is_shown_once_and_ended(world: World) -> None:
    answer = send(world, "Ada", "/tokens/new", name="pipeline", scopes="model.view", days="7")
    assert b"plc_" in answer.content
    token = ApiToken.objects.get(name="pipeline")
    secret = answer.content.split(b"plc_" + token.prefix.encode())[1][:20]
    assert secret not in browser(world.people["Ada"]).get("/tokens/").content
    assert send(world, "Alan", f"/tokens/{token.pk}/end").status_code == 404
    send(world, "Ada", f"/tokens/{token.pk}/end")
    token.refresh_from_db()
    assert token.revoked_at is not None


def test_an_endpoint_key_is_made_and_ended_by_who_manages_it(world: World) -> None:
    release = world.live()
    path = f"/endpoints/{release.endpoint_id}/keys"
    send(world, "Alan", path, name="theirs")
    assert not EndpointKey.objects.exists()
    owner = browser(world.people["Otto"])
    assert owner.post(path, {"name": "mobile app"}).status_code == 200
    key = EndpointKey.objects.get()
    owner.post(f"{path}/{key.pk}/revoke")
    key.refresh_from_db()
    assert key.revoked_at is not None


def test_a_join_token_is_made_by_who_manages_targets(world: World) -> None:
    path = f"/targets/{world.target.name}/join-token"
    assert b"Join token" not in send(world, "Otto", path).content  # an operator of one project
    admin = browser(factories.person("Pat", roles={"operator": None}))
    assert b"Join token" in admin.post(path).content


def test_a_model_is_made_and_a_second_of_its_name_is_refused(world: World) -> None:
    for _ in range(2):
        send(world, "Ada", "/models/new", project="risk", name="fraud", description="", next="/")
    assert RegisteredModel.objects.filter(name="fraud").count() == 1


def test_card_alias_and_build_of_a_version(world: World) -> None:
    version = world.version()
    page = f"/models/risk/churn/{version.number}/"
    send(world, "Alan", f"{page}card", card="# For whom", next=page)
    send(world, "Alan", f"{page}alias", alias="champion", next=page)
    for _ in range(2):
        send(world, "Alan", f"{page}build", next=page)
    version.refresh_from_db()
    assert version.card == "# For whom"
    assert Alias.objects.get(name="champion").version_id == version.pk
    assert Build.objects.filter(version=version, state="queued").count() == 1


def test_acceleration_is_ticked_where_a_build_is_started_and_shown_where_it_runs(
    world: World,
) -> None:
    version = world.version()
    page = f"/models/risk/churn/{version.number}/"
    assert b'name="accelerate"' in browser(world.people["Alan"]).get(page).content
    send(world, "Alan", f"{page}build", accelerate="yes", next=page)
    build = Build.objects.get(version=version)
    assert build.accelerate
    shown = browser(world.people["Alan"]).get(f"/builds/{build.pk}/").content
    assert re.search(rb"ONNX</dt>\s*<dd\s*>requested", shown)
    type(version).objects.filter(pk=version.pk).update(format="onnx")
    assert b'name="accelerate"' not in browser(world.people["Alan"]).get(page).content


def test_a_draft_without_files_is_not_finalised_and_the_page_says_why(world: World) -> None:
    version = world.version(state="draft")
    page = f"/models/risk/churn/{version.number}/"
    answer = browser(world.people["Alan"]).post(f"{page}finalise", {"next": page}, follow=True)
    version.refresh_from_db()
    assert version.state == "draft"
    assert b"alert-danger" in answer.content


@pytest.mark.parametrize(
    "elsewhere",
    ["https://evil.example/", "//evil.example/", "/\\evil.example", "javascript:alert(1)", "\t//e"],
)
def test_a_form_never_leads_off_the_site(world: World, elsewhere: str) -> None:
    version = world.version()
    answer = send(
        world,
        "Alan",
        f"/models/risk/churn/{version.number}/alias",
        alias="champion",
        next=elsewhere,
    )
    assert answer.status_code == 302
    assert answer["Location"] == "/"


def test_a_form_without_its_csrf_token_is_refused(world: World) -> None:
    release = world.request("staging")
    client = browser(world.people["Rex"], csrf=True)
    page = f"/releases/{release.pk}/"
    answer = client.post(f"{page}decide", {"verdict": "approve", "next": page})
    assert answer.status_code == 403
    assert not release.decisions.exists()
    seen = answer.content.decode()
    assert "signed out, or signed in again in another tab" in seen
    assert f'href="{page}" data-keeps-typed>Back to the form</a>' in seen
    assert "script-src 'self'" in answer["Content-Security-Policy"]
    elsewhere = client.post(f"{page}decide", {"next": "https://evil.example/"}).content.decode()
    assert 'href="/" data-keeps-typed>Back to the form</a>' in elsewhere
    nowhere = client.post("/accounts/logout/").content.decode()
    assert '<a class="btn btn-primary" href="/">Go to the home page</a>' in nowhere
    admin = client.post("/admin/identity/team/add/").content.decode()
    assert 'href="/admin/identity/team/add/" data-keeps-typed>Back to the form</a>' in admin


def test_who_is_not_signed_in_any_more_comes_back_to_the_page_of_the_form(world: World) -> None:
    page = f"/releases/{world.request('staging').pk}/"
    answer = browser().post(f"{page}comment", {"comment": "Long", "next": f"{page}?a=b"})
    assert answer.status_code == 302
    assert answer["Location"] == f"/accounts/login/?next={quote(f'{page}?a=b')}"
    elsewhere = browser().post(f"{page}comment", {"next": "//evil.example/"})
    assert elsewhere["Location"] == "/accounts/login/?next=/"


def test_a_form_is_no_page_and_a_page_is_no_form(world: World) -> None:
    release = world.request("staging")
    client = browser(world.people["Ada"])
    answer = client.get(f"/releases/{release.pk}/withdraw")
    assert (answer.status_code, answer["Location"]) == (302, f"/releases/{release.pk}/")
    assert client.put(f"/releases/{release.pk}/withdraw").status_code == 405
    assert client.post(f"/releases/{release.pk}/").status_code == 405
