"""Every page answers who may see it, in as many queries for many rows as for one."""

from html import unescape

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from apps.builds.models import Build
from apps.console.templatetags.placet import number as shown_number
from apps.governance.actions import comment
from apps.governance.models import Release
from apps.identity.models import User
from apps.monitoring.actions import acknowledge, close_settled, open_alert
from apps.monitoring.actions.alerts import AlertFinding
from apps.monitoring.models import Alert, AlertKind
from apps.registry.actions import create_model, set_alias, set_card
from apps.registry.models import ModelVersion
from apps.serving.actions import issue_endpoint_key, stop_endpoint
from apps.serving.models import Endpoint, Revision
from apps.serving.rules import PRESENT
from placet.kernel.actor import SYSTEM
from tests.support import factories
from tests.support.factories import browser
from tests.support.world import World

pytestmark = pytest.mark.django_db
MOST = 12


def everyone(world: World) -> User:
    """Return somebody who may read all there is."""
    return factories.person(
        "Eve", roles={"contributor": world.project, "auditor": None, "reviewer": world.project}
    )


def pages(release: Release) -> list[str]:
    version = release.version
    place = f"{version.project.slug}/{version.model.name}"
    return [
        "/",
        "/models/",
        f"/models/{place}/",
        f"/models/{place}/{version.number}/",
        f"/models/{place}/compare/?v={version.number}&v={version.number + 1}",
        f"/builds/{version.builds.first().pk}/",
        "/releases/",
        "/releases/?state=live",
        f"/releases/new/?version={version.pk}",
        f"/releases/{release.pk}/",
        f"/releases/{release.pk}/evidence/",
        f"/releases/{release.pk}/discussion/",
        f"/releases/{release.pk}/behaviour/",
        f"/releases/{release.pk}/attempts/",
        "/endpoints/",
        f"/endpoints/{release.endpoint_id}/",
        "/alerts/",
        "/targets/",
        "/audit/",
        "/audit/?people=1",
        "/audit/0/",
        "/policies/",
        f"/policies/{version.project.slug}/{release.environment.name}/",
        "/tokens/",
        "/absence/",
        "/passkeys/",
    ]


def queries(client: Client, path: str) -> int:
    with CaptureQueriesContext(connection) as caught:
        answer = client.get(path)
    assert answer.status_code == 200, f"{path}: {answer.status_code}"
    return len(caught)


def more(world: World, count: int) -> None:
    """Make ``count`` more of everything that a page lists."""
    for number in range(count):
        version = world.version(f"model-{number}")
        bento = world.bento(version, metrics={"auc": 0.9})
        release = world.live("development", bento=bento)
        set_alias(version.model, name=f"alias-{number}", version=version, actor=SYSTEM)
        issue_endpoint_key(release.endpoint, name=f"key {number}", actor=SYSTEM)
        world.live("development", bento=world.bento(world.version()))
        world.request("staging", world.bento(world.version()), endpoint=f"waits-{number}")
        alert(release.endpoint, number)


def alert(endpoint: Endpoint, number: int) -> None:
    """Have something be wrong with ``endpoint`` that somebody looks after, and something over."""
    count = Alert.objects.count()
    for kind in ("replicas", "no_data"):
        finding = AlertFinding(
            AlertKind(kind),
            subject=f"x-{count}-{number}",
            about="x",
            summary="x",
            endpoint=endpoint,
        )
        row = open_alert(finding, actor=SYSTEM)
        assert row is not None
        acknowledge(row, actor=SYSTEM)
    close_settled([row], actor=SYSTEM)


def test_every_page_takes_as_many_queries_for_thirty_rows_as_for_one(world: World) -> None:
    release = world.live()
    world.request("staging", world.bento(world.version(f"model-{'x'}")))
    more(world, 1)
    client = browser(everyone(world))
    before = {path: queries(client, path) for path in pages(release)}
    more(world, 8)
    release.refresh_from_db()
    after = {path: queries(client, path) for path in pages(release)}
    assert {p: n for p, n in after.items() if n > MOST} == {}
    assert {p: (before[p], n) for p, n in after.items() if n > before[p]} == {}


def test_a_page_of_another_project_is_not_there(world: World) -> None:
    release = world.live()
    stranger = browser(World("other").people["Ada"])
    paths = [p for p in pages(release) if "risk" in p or release.pk in p or "/builds/" in p]
    for path in [*paths, f"/endpoints/{release.endpoint_id}/"]:
        answer = stranger.get(path)
        assert answer.status_code == 404, path
        assert b"churn" not in answer.content.replace(path.encode(), b"")


def test_a_form_of_another_project_does_nothing(world: World) -> None:
    release = world.request("staging")
    stranger = browser(World("other").people["Rex"])
    for verb in ("decide", "comment", "withdraw", "start"):
        answer = stranger.post(f"/releases/{release.pk}/{verb}", {"verdict": "approve"})
        assert answer.status_code == 404
    release.refresh_from_db()
    assert release.state == "requested"
    assert not release.decisions.exists()


def test_nobody_reads_a_page_without_signing_in(world: World) -> None:
    for path in pages(world.live()):
        answer = browser().get(path)
        assert answer.status_code == 302, path
        assert answer["Location"].startswith("/accounts/login/")


def test_somebody_without_any_role_is_told_whom_to_ask() -> None:
    client = browser(factories.person("Nina"))
    home = client.get("/")
    assert home.status_code == 200
    assert b"ask an access administrator" in home.content
    for path in ("/models/", "/releases/", "/endpoints/", "/policies/"):
        answer = client.get(path)
        assert answer.status_code == 200, path
        assert b"You have no project role yet" in answer.content, path


def test_who_may_register_nothing_is_not_told_to(world: World) -> None:
    """Nor are they offered the projects in which they may not make a model."""
    model = create_model(world.project, name="bare", actor=SYSTEM)
    ida = factories.person("Ida", {"viewer": world.project})
    shown = browser(ida).get(f"/models/{world.slug}/{model.name}/").content.decode()
    assert "placet model register" not in shown
    assert "Contributors of Risk register them." in shown
    other = factories.project("claims")
    factories.grant(ida, {"contributor": other})
    shown = browser(ida).get("/models/").content.decode().split('id="new-model"')[1]
    assert ('value="claims"' in shown, f'value="{world.slug}"' in shown) == (True, False)
    bert = factories.person("Bert", {"viewer": other})
    shown = browser(bert).get("/models/").content.decode()
    assert "placet model register" not in shown
    assert "Contributors of a project register models." in shown


def test_a_missing_page_says_so_in_the_looks_of_the_product(world: World) -> None:
    answer = browser(world.people["Ada"]).get("/releases/nothing/")
    assert answer.status_code == 404
    assert b"navbar" in answer.content
    assert b"Go to the home page" in browser().get("/nothing").content


def test_who_may_not_read_targets_or_the_log_gets_none_of_it(world: World) -> None:
    client = browser(factories.person("Nina"))
    assert b"local" not in client.get("/targets/").content
    assert client.get("/audit/0/").status_code == 404


def test_a_busy_target_names_the_first_and_counts_the_rest(world: World) -> None:
    release = world.live()
    hidden = factories.project("hidden")
    for place, first, count in ((world.project, 1, 13), (hidden, 101, 2)):
        endpoint = release.endpoint
        if place is hidden:
            endpoint = Endpoint.objects.create(
                project=hidden, environment="development", name="secret", target=world.target
            )
        for number in range(first, first + count):
            Revision.objects.create(
                endpoint=endpoint,
                project=place,
                bento=release.bento,
                number=number,
                release=release.pk,
                permit="{}",
                state="warm",
                memory_mb=100,
                replicas=2,
            )
    reader = factories.person("Uma", roles={"operator": world.project})
    mine = Revision.objects.filter(endpoint=release.endpoint, state__in=PRESENT)
    used = 200 * 15 + sum(r.memory_mb * r.replicas for r in mine.exclude(state="warm"))
    content = browser(reader).get("/targets/").content.decode()
    assert content.count(f'href="/endpoints/{release.endpoint_id}/"') == 10
    assert f"and {mine.count() - 10} more" in content
    assert "and 2 revisions of projects you do not see" in " ".join(content.split())
    assert "secret" not in content
    assert f"{shown_number(used)} of" in content


def test_a_reader_sees_no_button_and_those_who_may_see_theirs(world: World) -> None:
    release = world.request("staging")
    page = f"/releases/{release.pk}/"
    assert b'data-dialog="review"' in browser(world.people["Rex"]).get(page).content
    for name in ("Ada", "Alan", "Otto"):
        content = browser(world.people[name]).get(page).content
        assert b'data-dialog="review"' not in content, name
        assert b'name="verdict"' not in content, name
    assert b"Withdraw" in browser(world.people["Ada"]).get(page).content
    assert b"Withdraw" not in browser(world.people["Alan"]).get(page).content


def test_operating_buttons_show_for_the_operator_alone(world: World) -> None:
    page = f"/endpoints/{world.live().endpoint_id}/"
    assert b'data-dialog="stop"' in browser(world.people["Otto"]).get(page).content
    viewer = factories.person("Vic", roles={"viewer": world.project})
    shown = browser(viewer).get(page).content
    assert b'data-dialog="stop"' not in shown
    assert b"New key" not in shown


def test_an_endpoint_that_is_stopped_can_be_deleted_and_its_page_says_so(world: World) -> None:
    release = world.live()
    page = f"/endpoints/{release.endpoint_id}/"
    otto = browser(world.people["Otto"])
    stop_endpoint(release.endpoint, actor=world.otto)
    shown = otto.get(page)
    assert b'data-dialog="delete"' in shown.content
    generation = shown.context["endpoint"].generation
    stale = otto.post(f"{page}delete", {"generation": generation - 1, "next": page}, follow=True)
    assert b'data-dialog="delete"' in stale.content
    done = otto.post(f"{page}delete", {"generation": generation, "next": page})
    assert (done.status_code, done["Location"]) == (302, "/endpoints/")
    after = otto.get(page).content
    assert b"It was deleted: its address leads to nothing." in after
    for name in ("delete", "drill-schedule", "new-key", "objective", "scale", "stop"):
        assert f'data-dialog="{name}"'.encode() not in after, name
    assert page.encode() not in otto.get("/endpoints/").content
    assert b"Retired" in otto.get(f"/releases/{release.pk}/").content


def test_a_hostile_card_and_hostile_names_come_out_as_text(world: World) -> None:
    bad = "<script>alert(1)</script><img src=x onerror=alert(2)>"
    version = world.version(state="finalised")
    set_card(version, card=f"# Hi\n{bad}\n[go](javascript:alert(3))", actor=world.ada)
    signature = {"inputs": [{"name": bad, "type": "double"}], "outputs": []}
    odd = world.version(signature=signature, parameters={bad: bad}, lineage={"run": bad})
    User.objects.filter(pk=world.people["Alan"].pk).update(name=bad)
    client = browser(world.people["Ada"])
    for number in (version.number, odd.number):
        content = client.get(f"/models/risk/churn/{number}/").content.decode()
        assert "<script>alert" not in content
        assert "<img src=x onerror" not in content
        assert 'href="javascript' not in content


def test_home_names_what_an_operator_may_roll_out(world: World) -> None:
    release = world.request("staging", plan={"strategy": "switch", "start": "manual"})
    world.decide(release, world.rex)
    shown = browser(world.people["Otto"]).get("/").content.decode()
    assert "1 approved release waits to be rolled out" in shown
    assert f'href="/releases/{release.pk}/"' in shown
    assert "Ready to roll out" not in browser(world.people["Ada"]).get("/").content.decode()


def test_a_rejected_release_says_first_who_rejected_it_and_why(world: World) -> None:
    release = world.request("staging")
    world.decide(release, world.rex, "reject", comment="It forgets the night shift.")
    shown = browser(world.people["Ada"]).get(f"/releases/{release.pk}/").content.decode()
    lead = shown[shown.index("lead-sentence") :]
    said = [lead.index(w) for w in ("Rex risk", "It forgets the night shift.", "Requested:")]
    assert said == sorted(said)
    assert "Rollback plan</h2>" not in shown, "but in what Rex saw, which is printed"
    assert shown.count("It forgets the night shift.") == 1


def test_what_people_said_as_they_decided_stands_once_beside_their_decision(world: World) -> None:
    release = world.request("production")
    world.decide(release, world.rex, comment="Numbers as in the paper.")
    comment(release, text="Numbers as in the paper.", actor=world.ada)
    page = browser(world.people["Ada"]).get(f"/releases/{release.pk}/")
    shown = page.content.decode()
    assert shown.count("Numbers as in the paper.") == 2, "the decision, and a comment"
    assert (
        shown.index("Decisions")
        < shown.index("Numbers as in the paper.")
        < shown.index("Activity</h2>")
    )


def test_a_failed_build_says_what_to_do_and_how_far_it_came(world: World) -> None:
    build = world.bento(world.version()).build
    version, page = build.version, f"/builds/{build.pk}/"
    Build.objects.filter(pk=build.pk).update(
        state="failed", step="runtime", error="No such package", timings={"fetch": 1, "scan": 2}
    )
    shown = browser(world.people["Ada"]).get(page).content.decode()
    assert "Stopped at step runtime." in shown
    assert "Build again" in shown
    rows = browser(world.people["Ada"]).get(page).context["page"].steps
    assert [row.state for row in rows[:4]] == ["passed", "passed", "failed", ""]
    shown = browser(world.people["Ada"]).get(f"/models/risk/churn/{version.number}/").content
    assert b"Request release" not in shown
    text = " ".join(shown.decode().split())
    link = f'<a class="d-print-none" href="{page}">Open log</a>'
    assert f"The last build failed: No such package {link}" in text
    assert b"Build again" not in browser(world.people["Rex"]).get(page).content


def test_a_draft_says_how_a_file_gets_into_it(world: World) -> None:
    draft = world.version(state="draft")
    page, link = f"/models/risk/churn/{draft.number}/", "draft/#files"
    assert link in browser(world.people["Alan"]).get(page).content.decode()
    assert link not in browser(world.people["Rex"]).get(page).content.decode()
    ModelVersion.objects.filter(pk=draft.pk).update(state="finalised")
    assert link not in browser(world.people["Alan"]).get(page).content.decode()


def test_where_a_version_comes_from_is_said_as_people_write_it(world: World) -> None:
    version = world.version(
        lineage={"run": {"id": "run 7", "url": "https://runs.example.com/7"}},
        parameters={"depths": [3, 4], "early": True, "seed": None, "words": {"a": "b"}},
    )
    page = f"/models/risk/churn/{version.number}/"
    shown = browser(world.people["Ada"]).get(page).content.decode()
    text = unescape(" ".join(shown.split()))
    assert "run 7, https://runs.example.com/7</code>" in text
    for value in ("[3, 4]", "true", "null", '{"a": "b"}'):
        assert f">{value}<" in text.replace("> ", ">").replace(" <", "<"), value


def test_an_endpoint_names_who_approved_each_revision(world: World) -> None:
    release = world.request("staging")
    world.decide(release, world.rex)
    for number, asked in enumerate((release, world.live()), 1):
        Revision.objects.create(
            endpoint=release.endpoint,
            project=release.project,
            bento=asked.bento,
            number=number,
            release=asked.pk,
            permit="{}",
            state="stopped",
        )
    client = browser(everyone(world))
    path = f"/endpoints/{release.endpoint_id}/revisions/"
    page = client.get(path).content.decode()
    assert "approved by Rex risk" in page
    assert "open policy" in page  # for the other one
    assert queries(client, path) <= MOST


def test_a_release_that_nothing_will_open_says_which_gate_has_failed(world: World) -> None:
    gates = "[{gate: scan, allow: [safe]}, {gate: approvals, role: reviewer, count: 1}]"
    world.policy("staging", f"version: 1\ngates: {gates}\n")

    def head(verdict: str) -> str:
        release = world.request("staging", world.bento(world.version(), verdict=verdict))
        page = browser(world.people["Ada"]).get(f"/releases/{release.pk}/").content.decode()
        return " ".join(page.split("data-page-state")[1].split("asked by")[0].split())

    assert "A gate has failed: Scanned</span>" in head("code-carrying")
    assert "Waiting for a reviewer</span>" in head("code-carrying")
    assert "has failed" not in head("safe")
    world.policy("staging", "version: 1\ngates: [{gate: scan, allow: [safe]}]\n")
    assert "Waiting for gates" not in head("code-carrying")
    assert "A gate has failed: Scanned</span>" in head("code-carrying")


def test_a_metric_and_a_parameter_may_be_called_as_a_method_is(world: World) -> None:
    """A template that reads ``data.items`` gets the member of that name before the method."""
    version = world.version(parameters={"items": 3, "depth": 4})
    world.bento(version, metrics={"items": 0.25})
    page = f"/models/risk/churn/{version.number}/"
    shown = browser(world.people["Ada"]).get(page).content.decode()
    assert "2 parameters" in shown
    assert shown_number(0.25) in shown
