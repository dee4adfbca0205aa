"""A form that is refused says why beside it, and nothing that was typed is lost."""

import re

import pytest

from apps.builds.models import Build
from apps.governance.actions import update_environment
from apps.governance.models import Release
from apps.identity.models import ApiToken
from apps.monitoring.models import Objective
from apps.registry.models import RegisteredModel
from apps.serving.models import Target
from placet.kernel.actor import SYSTEM
from tests.support import factories
from tests.support.factories import api, browser
from tests.support.world import World

pytestmark = pytest.mark.django_db


def test_a_refused_request_for_a_release_keeps_its_reason(world: World) -> None:
    version = world.version()
    bento = world.bento(version)
    client = browser(world.people["Ada"])
    answer = client.post(
        "/releases/request",
        {
            "version": version.pk,
            "environment": "production",
            "endpoint": "No Such Name!",
            "bento": bento.pk,
            "start": "manual",
            "replicas": "3",
            "max_replicas": "4",
            "memory_mb": "2048",
            "reason": "Losses <doubled> in March",
        },
    )
    shown = answer.content.decode()
    assert answer.status_code == 200
    assert 'role="alert"' in shown
    assert "Losses &lt;doubled&gt; in March" in shown
    assert 'value="No Such Name!"' in shown
    assert 'value="2048"' in shown
    assert '<option value="production" selected>' in shown
    assert '<option value="manual" selected>' in shown
    assert not Release.objects.exists()


def test_the_form_suggests_where_the_version_is_not_live_yet(world: World) -> None:
    client = browser(world.people["Ada"])
    version = world.version()
    bento = world.bento(version)
    path = f"/releases/new/?version={version.pk}"
    assert b'<option value="development" selected>' in client.get(path).content
    world.live("development", bento=bento)
    shown = client.get(path).content
    assert b'<option value="staging" selected>' in shown
    assert b"One reviewer" in shown


def test_a_plan_of_one_environment_is_chosen_for_it_alone(world: World) -> None:
    plan = {"strategy": "canary", "steps": [{"set_weight": 2}, {"pause": {}}]}
    staging = world.environment("staging")
    update_environment(staging, plans={"slow": plan}, actor=SYSTEM)
    version = world.version()
    bento = world.bento(version)
    client = browser(world.people["Ada"])
    shown = client.get(f"/releases/new/?version={version.pk}").content.decode()
    assert "only in staging" in shown
    form = {"version": version.pk, "endpoint": "churn", "bento": bento.pk, "plan": "staging/slow"}
    refused = client.post("/releases/request", form | {"environment": "development"})
    text = " ".join(refused.content.decode().split())
    assert "slow is a plan of staging: choose one that development has" in text
    assert 'value="staging/slow" checked' in text
    client.post("/releases/request", form | {"environment": "staging"})
    assert Release.objects.get().plan["steps"] == [*plan["steps"], {"set_weight": 100}]
    page = browser(world.people["Vera"]).get("/policies/risk/staging/").content.decode()
    assert "Canary: 2, 100%" in page


def test_without_a_bento_the_form_says_to_build_first(world: World) -> None:
    shown = browser(world.people["Ada"]).get(f"/releases/new/?version={world.version().pk}").content
    assert b"This version has no build yet" in shown
    assert b"<textarea" not in shown


def test_who_requests_a_version_whose_build_failed_reads_that_and_where(world: World) -> None:
    version = world.version()
    ada, path = world.people["Ada"], f"/releases/new/?version={version.pk}"
    asked = {"model": "churn", "version": version.number, "endpoint": "churn"}
    asked |= {"environment": "staging"}

    def refused() -> str:
        answer = api(ada).post("/projects/risk/releases", asked)
        assert (answer.status_code, answer.json()["code"]) == (409, "not_built")
        return str(answer.json()["detail"])

    assert refused() == "The version has no build yet: build it first"
    build = Build.objects.create(
        version=version, project=world.project, state="failed", step="lock", requested_by="per_1"
    )
    assert refused().startswith(
        f"The build of {version} failed at its step lock: `placet build log {build.pk}`"
    )
    assert "The build of this version failed" in browser(ada).get(path).content.decode()


def test_a_refused_model_keeps_its_description(world: World) -> None:
    form = {"project": "risk", "name": "Not A Name", "description": "For the branch offices"}
    shown = browser(world.people["Ada"]).post("/models/new", form).content.decode()
    assert "data-open" in shown
    assert 'role="alert"' in shown
    assert 'value="Not A Name"' in shown
    assert "For the branch offices" in shown
    assert not RegisteredModel.objects.filter(description__contains="branch").exists()


def test_a_refused_token_keeps_what_was_chosen(world: World) -> None:
    form = {"name": "pipeline", "scopes": ["version.create"], "days": "9999", "project": "risk"}
    sent = browser(world.people["Ada"]).post("/tokens/new", form)
    shown = " ".join(sent.content.decode().split())
    assert 'value="pipeline"' in shown
    assert 'value="version.create" checked' in shown
    assert 'value="model.view" checked' not in shown
    assert '<option value="risk" selected>' in shown
    assert not ApiToken.objects.filter(name="pipeline").exists()


def test_a_refused_target_keeps_its_address() -> None:
    client = browser(factories.person("Pat", roles={"operator": None}))
    form = {"name": "plant 7!", "site": "edge", "capacity_mb": "512", "url": "https://p7.example"}
    shown = client.post("/targets/new", form).content.decode()
    assert "data-open" in shown
    assert 'value="https://p7.example"' in shown
    assert '<option value="edge" selected>' in shown
    assert not Target.objects.filter(site="edge").exists()


@pytest.mark.parametrize(
    ("form", "typed", "says"),
    [
        ("owner", "nobody@hospital.example", "Nobody who is active has this id or e-mail address"),
        ("address", "ward-2:1", "Give an http:// or https:// address"),
    ],
)
def test_a_refused_change_of_a_target_keeps_what_was_typed(
    world: World, form: str, typed: str, says: str
) -> None:
    client = browser(factories.person("Pat", roles={"operator": None}))
    revision = str(Target.objects.get(name="local").revision)
    field = {"owner": "owner", "address": "url"}[form]
    sent = {field: typed, "revision": revision, "next": "/targets/local/"}
    shown = client.post(f"/targets/local/{form}", sent).content.decode()
    assert says in shown
    assert f'value="{typed}"' in shown
    assert 'name="next" value="/targets/local/"' in shown
    assert f'name="next" value="/targets/local/{form}"' not in shown


def test_tags_are_edited_as_lines_and_shown_as_text(world: World) -> None:
    version = world.version()
    page = f"/models/risk/churn/{version.number}/"
    client = browser(world.people["Alan"])
    client.post(f"{page}tags", {"tags": "team: risk\n\nurgent\nlink: a: b", "next": page})
    version.refresh_from_db()
    assert version.tags == {"team": "risk", "urgent": "", "link": "a: b"}
    shown = client.get(page).content.decode()
    assert '<span class="tag">team: risk</span>' in shown
    reader = browser(factories.person("Vic", roles={"viewer": world.project})).get(page)
    assert b"team: risk" in reader.content
    assert b"edit-tags" not in reader.content


def test_a_breaking_change_is_said_at_the_top_of_the_release(world: World) -> None:
    world.live("development", bento=world.bento(world.version()))
    other = {"inputs": [{"name": "income", "type": "string"}], "outputs": []}
    release = world.request("development", world.bento(world.version(signature=other)))
    shown = browser(world.people["Rex"]).get(f"/releases/{release.pk}/").content.decode()
    top = shown.split('<dl class="glance')[1].split("</dl>")[0]
    assert "Breaking change" in top


@pytest.mark.parametrize("typed", ["2 s", "1e9", "-"])
def test_a_latency_that_is_no_number_is_not_one_that_was_left_open(
    world: World, typed: str
) -> None:
    endpoint = world.live("development").endpoint
    client = browser(world.people["Otto"])
    path, terms = f"/endpoints/{endpoint.pk}/objective", {"availability": "99"}
    refused = client.post(path, terms | {"latency_ms": typed, "next": "/targets/"}, follow=True)
    assert "latency_ms: Give a number" in refused.content.decode()
    assert not Objective.objects.exists()
    client.post(path, terms | {"latency_ms": "250"})
    assert Objective.objects.get().latency_ms == 250


def test_a_refused_request_names_its_fields_as_their_labels_do(world: World) -> None:
    version = world.version()
    typed = {"version": version.pk, "bento": world.bento(version).pk, "environment": "staging"}
    typed |= {"endpoint": "churn", "memory_mb": "much", "egress": "nowhere", "replicas": "1"}
    shown = browser(world.people["Ada"]).post("/releases/request", typed).content.decode()
    said = "Some fields are invalid: Memory per replica (MB), Outbound access"
    assert said in shown
    for label in said.split(": ")[1].split(", "):
        assert f">{label}</label>" in shown


def test_a_refused_slo_says_at_once_all_that_is_wrong_with_it(world: World) -> None:
    endpoint = world.live("development").endpoint
    client, path = browser(world.people["Otto"]), f"/endpoints/{endpoint.pk}/objective"

    def said(**typed: str) -> list[str]:
        answer = client.post(path, typed | {"next": "/targets/"}, follow=True)
        return re.findall(r'<li data-fault-of="\w+">(.*?)</li>', answer.content.decode())

    wrong = {"availability": "12", "latency_ms": "2 s", "latency_quantile": "100"}
    assert said(**wrong, window_minutes="0", min_requests="1.5") == [
        "availability: From 50 to 100%, such as 99.9",
        "latency_quantile: From 50 to 99.9%, such as 99",
        "latency_ms: Give a number",
        "window_minutes: From 1 to 360 minutes",
        "min_requests: Give a whole number",
    ]
    assert said(latency_quantile="99") == ["availability: Set an availability, a latency, or both"]
    assert not Objective.objects.exists()
