"""Where clients reach an endpoint: as its target says, and never by a guess."""

import ast
import json
import re
import shlex
from html import unescape

import pytest
from django.core.management import call_command

from apps.operations.management.commands.prepare import local_target
from apps.registry.models import ModelVersion
from apps.serving.actions import create_endpoint, create_target, update_target
from apps.serving.models import Endpoint, Target
from apps.serving.queries import endpoint_url
from placet.kernel.actor import SYSTEM
from placet.kernel.config import config
from placet.kernel.problems import InvalidInput
from tests.support.factories import api, browser, person
from tests.support.story import Story
from tests.support.world import World

pytestmark = pytest.mark.django_db
SAYS = "ward-2 has no address yet: placet target edit ward-2 --url https://…"


@pytest.fixture
def apart(world: World) -> Endpoint:
    """An endpoint on a second target, whose address nobody has said."""
    return create_endpoint(
        world.project,
        environment="staging",
        name="probe",
        target=world.another_target("ward-2", "staging"),
        actor=SYSTEM,
    )


def test_the_address_of_another_target_is_never_that_of_the_first(
    world: World, apart: Endpoint
) -> None:
    otto, path = world.people["Otto"], f"/endpoints/{apart.pk}"
    found = api(otto).get(path).json()
    assert (found["url"], found["no_address"]) == ("", SAYS)
    shown = browser(otto).get(f"/endpoints/{apart.pk}/").content.decode()
    assert SAYS in shown
    assert "/risk/staging/probe/predict" not in shown
    refused = api(otto).post(f"{path}/predict", {"a": 1})
    assert (refused.status_code, refused.json()["detail"]) == (502, SAYS)
    update_target(apart.target, url="https://ward-2.example:8443", actor=SYSTEM)
    found = api(otto).get(path).json()
    assert (found["url"], found["no_address"]) == (
        "https://ward-2.example:8443/risk/staging/probe",
        "",
    )


def test_the_target_that_comes_with_placet_and_an_only_one_have_the_usual_address(
    world: World,
) -> None:
    local = create_endpoint(
        world.project, environment="staging", name="probe", target=world.target, actor=SYSTEM
    )
    assert endpoint_url(local) == "http://localhost:8080/risk/staging/probe"
    Target.objects.filter(pk=world.target.pk).update(name="plant-7")
    assert endpoint_url(Endpoint.objects.get()) == "http://localhost:8080/risk/staging/probe"
    create_target(name="plant-8", actor=SYSTEM)
    assert endpoint_url(Endpoint.objects.get()) == ""


def test_who_manages_targets_changes_the_address_on_the_page(world: World, apart: Endpoint) -> None:
    olga = person("Olga", roles={"operator": None})
    page = browser(olga).get("/targets/ward-2/").content.decode()
    assert SAYS in page
    form = {"url": "https://ward-2.example", "revision": "1", "next": "/targets/ward-2/"}
    changed = browser(olga).post("/targets/ward-2/address", form, follow=True)
    assert re.search(r">\s*https://ward-2.example\s*</dd>", changed.content.decode())
    assert Target.objects.get(name="ward-2").url == "https://ward-2.example"
    browser(olga).post("/targets/ward-2/address", form | {"url": "https://late.example"})
    assert Target.objects.get(name="ward-2").url == "https://ward-2.example", "it had changed"
    odd = form | {"revision": "2", "url": "ward-2:1"}
    refused = browser(olga).post("/targets/ward-2/address", odd, follow=True)
    assert "Give an http:// or https:// address" in refused.content.decode()


@pytest.mark.parametrize(
    "url",
    [
        "https://models.plant-7.example",
        "http://10.0.0.7:8443/placet/v1",
        "http://[2001:db8::1]:80",
        "https://placet_node",
        "http://a/~b/c.d/",
    ],
)
def test_an_address_is_a_host_with_a_port_and_a_plain_path(url: str) -> None:
    target = create_target(name="plant-8", url=url, actor=SYSTEM)
    assert target.url == url.rstrip("/")
    assert update_target(target, url=f"{target.url}/", actor=SYSTEM).url == target.url


@pytest.mark.parametrize(
    "url",
    [
        "https://",
        "https://:443",
        "https://a:0",
        "https://a:65536",
        "https://a:b",
        "https://a b",
        "https://you:secret@a",
        "https://a/?b=c",
        "https://a/#b",
        "https://a/$(id)",
        "https://a;id",
        "https://a/'",
        "https://a/`id`",
        "https://a/../b",
        "https://a\n",
        "https://a\\b",
        "https://[::1",
        "https://[1.2.3.4]",
        "https://-a",
        "HTTPS://a",
        "ftp://a",
        "https://a/%0a",
        "https://\u0430",
        "https://" + "a" * 200,
    ],
)
def test_what_a_shell_or_a_browser_would_take_for_more_is_no_address(
    world: World, url: str
) -> None:
    with pytest.raises(InvalidInput) as refused:
        update_target(world.target, url=url, actor=SYSTEM)
    assert [error.pointer for error in refused.value.errors] == ["/url"]


@pytest.mark.parametrize(
    "url",
    ["https://placet.example:9443", "https://models.placet.example", "http://x.PLACET.example"],
)
def test_no_target_is_reached_at_the_host_of_our_pages_or_below_it(
    world: World, url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(config(), "public_url", "https://placet.example")
    with pytest.raises(InvalidInput) as refused:
        update_target(world.target, url=url, actor=SYSTEM)
    (fault,) = refused.value.errors
    assert (fault.pointer, fault.detail[:34]) == ("/url", "Give an address at another host th")
    monkeypatch.setattr(config(), "public_url", "https://placet.example.")
    with pytest.raises(InvalidInput):
        update_target(world.target, url=url, actor=SYSTEM)
    assert update_target(world.target, url="https://models.example", actor=SYSTEM).url


def test_what_an_older_release_put_below_our_pages_is_moved_or_named(
    world: World, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    below = "https://models.placet.localhost:9443"
    Target.objects.filter(pk=world.target.pk).update(name="local", url=below)
    world.another_target("ward-2", "staging")
    Target.objects.filter(name="ward-2").update(url="https://placet.localhost:9444")
    monkeypatch.setattr(config(), "public_url", "https://placet.localhost:8443")

    monkeypatch.setattr(config(), "endpoint_url", "https://x.placet.localhost")
    assert local_target().url == below  # nowhere better to go
    monkeypatch.setattr(config(), "endpoint_url", "https://models.localhost:9443")
    call_command("prepare")
    moved = local_target()
    assert (moved.url, moved.revision) == ("https://models.localhost:9443", 2)
    said = capsys.readouterr().err
    assert "placet target edit ward-2 --url" in said
    assert "target edit local" not in said


def test_the_address_that_somebody_gave_the_first_target_is_kept(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    Target.objects.filter(pk=world.target.pk).update(name="local", url="https://other.example")
    monkeypatch.setattr(config(), "public_url", "https://placet.example")
    monkeypatch.setattr(config(), "endpoint_url", "https://models.example")
    assert local_target().url == "https://other.example"


def test_what_is_copied_from_the_page_is_one_word_of_a_shell_and_python(story: Story) -> None:
    """An address that was stored before such were refused, and a row with quotes and booleans."""
    odd = "http://a/$(touch pwned);'\"\\"
    row = {"name": 'it\'s "x" $(id)', "on": True, "off": None}
    story.live()
    ModelVersion.objects.update(example=[row])
    Target.objects.update(url=odd)
    page = browser(story.people["Otto"]).get(f"/endpoints/{Endpoint.objects.get().pk}/use/")
    seen = unescape(page.content.decode())
    curl = shlex.split(seen.split('id="curl">')[1].split("</pre>")[0])
    assert curl[:2] == ["curl", f"{odd}/risk/development/churn/predict"]
    assert json.loads(curl[-1]) == row
    tree = ast.parse(seen.split('id="python">')[1].split("</pre>")[0]).body
    assert isinstance(tree[1], ast.Assign) and isinstance(tree[2], ast.Assign)
    assert ast.literal_eval(tree[1].value) == row
    assert isinstance(tree[2].value, ast.Call)
    assert ast.literal_eval(tree[2].value.args[0]) == curl[1]
