"""What a release may reach and set, on the pages where people ask for it and approve it."""

import re
from datetime import timedelta
from typing import Any

import pytest
from django.urls import reverse

from apps.governance.models import Release
from apps.serving.models import Endpoint, Node
from placet.kernel.clock import now
from tests.support.documents import store_without
from tests.support.factories import browser
from tests.support.nodes import SimulatedNode
from tests.support.story import Story
from tests.support.world import World

pytestmark = pytest.mark.django_db


def page(world: World, who: str, release: Release) -> str:
    answer = browser(world.people[who]).get(reverse("release", args=[release.pk]))
    assert answer.status_code == 200
    return " ".join(answer.content.decode().split())


def asked_by_form(world: World, egress: str) -> Any:
    """Have Ada fill in the form."""
    bento = world.bento(world.version())
    fields = {
        "version": bento.version.pk,
        "bento": bento.pk,
        "environment": "development",
        "endpoint": "churn",
        "egress": egress,
    }
    return browser(world.people["Ada"]).post(reverse("release-request"), fields)


def test_an_approver_reads_that_a_replica_reaches_nothing(
    world: World, node: SimulatedNode
) -> None:
    assert "<b>none</b>" in page(world, "Vera", world.request("staging"))


@pytest.mark.parametrize(
    ("platform", "says"),
    [
        (
            {"network": "host"},
            "the target local gives replicas the host&#x27;s network: it can"
            " reach whatever the host can",
        ),
        (
            {"features": []},
            "the target local gives replicas the host&#x27;s network: upgrade its agent",
        ),
        (None, "no node of the target local has said yet that it gives replicas a network"),
    ],
)
def test_an_approver_reads_that_the_target_keeps_nobody_from_the_network(
    world: World, request: pytest.FixtureRequest, platform: dict[str, Any] | None, says: str
) -> None:
    if platform is not None:
        request.getfixturevalue("node").upgraded(**platform)
    seen = page(world, "Vera", world.request("staging"))
    assert f"requested: nothing, but {says}</span>" in seen
    assert "<b>none</b>" not in seen
    bento = world.bento(world.version())
    named = world.request("staging", bento, serving={"egress": ["db.example:5432"]})
    assert f"requested: db.example:5432 only, but {says}</span>" in page(world, "Vera", named)


def test_an_approver_and_who_asks_read_which_address_is_no_public_one(
    world: World, node: SimulatedNode
) -> None:
    mark = '<span class="text-break">169.254.169.254:80 is a cloud&#x27;s metadata service</span>'
    release = world.request("staging", serving={"egress": ["a.example:1", "169.254.169.254:80"]})
    assert mark in page(world, "Vera", release)
    refused = asked_by_form(world, "169.254.169.254:80\nx:99999").content.decode()
    assert mark in " ".join(refused.split())


def test_who_decides_reads_on_which_target_it_would_run(world: World, node: SimulatedNode) -> None:
    seen = page(world, "Rex", world.request("staging"))
    assert "to <b>staging</b> / <b>" in seen and "on <b>local</b>" in seen
    assert re.search(r"<dt>Target</dt>\s*<dd\s*>local</dd>", seen)
    assert seen.count("Target: <b>local</b>") == 1, "in the dialog"


def test_an_approver_reads_every_destination_and_every_variable(
    world: World, node: SimulatedNode
) -> None:
    bento = world.bento(world.version(variables=["MODE"]))
    release = world.request(
        "staging",
        bento,
        serving={
            "egress": ["db.example:5432", "[2001:db8::1]:443"],
            "variables": {"MODE": "<b>", "OMP_NUM_THREADS": "2"},
        },
    )
    seen = page(world, "Vera", release)
    assert '<code class="text-break">db.example:5432</code>' in seen
    assert '<code class="text-break">[2001:db8::1]:443</code>' in seen
    assert "<code>MODE</code> = <code>&lt;b&gt;</code>" in seen
    assert "<code>OMP_NUM_THREADS</code> = <code>2</code>" in seen


def test_the_value_of_a_variable_cannot_pass_for_another_variable(
    world: World, node: SimulatedNode
) -> None:
    bento = world.bento(world.version(variables=["MODE", "THRESHOLD"]))
    world.live(serving={"variables": {"OMP_NUM_THREADS": "2"}})
    values = {"MODE": "hi,  THRESHOLD=0.1 "}
    release = world.request("development", bento, serving={"variables": values})
    answer = browser(world.people["Vera"]).get(reverse("release", args=[release.pk]))
    seen = answer.content.decode()
    row = "<code>MODE</code> = <code>hi,  THRESHOLD=0.1 </code>"
    assert seen.count(row) == 2, "where it is approved, and beside what is live"
    assert "<code>THRESHOLD</code>" not in seen


def test_what_was_asked_for_under_earlier_rules_is_called_so(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patched:
        store_without(patched, "egress")
        older = world.live()
    assert "Older isolation: the host&#x27;s network" in page(world, "Vera", older)
    seen = page(world, "Vera", world.request("development"))
    assert "the host&#x27;s network (older isolation)" in seen
    assert "Outbound access" in seen


def test_a_change_of_destinations_and_variables_stands_beside_what_is_live(world: World) -> None:
    world.live(serving={"egress": ["old.example:1"]})
    bento = world.bento(world.version(variables=["MODE"]))
    release = world.request(
        "development", bento, serving={"egress": ["new.example:2"], "variables": {"MODE": "x"}}
    )
    seen = page(world, "Vera", release)
    before, after = seen.index("old.example:1"), seen.rindex("<code>MODE</code> = <code>x")
    assert "Outbound access" in seen[: seen.index("old.example:1")]
    assert seen.index("none") < after
    assert before < seen.index("new.example:2", before)


def test_the_form_names_destinations_one_on_each_line(world: World) -> None:
    answer = asked_by_form(world, "db.example:5432\r\n  [2001:db8::1]:443\r\n")
    assert answer.status_code == 302
    assert Release.objects.get().serving["egress"] == ["db.example:5432", "[2001:db8::1]:443"]


def test_the_form_takes_a_line_as_one_destination_and_says_which_is_wrong(world: World) -> None:
    seen = asked_by_form(world, "db.example:5432\n\na b:1\nx:99999").content.decode()
    beside = " ".join(seen.split('id="egress-fault"')[1].split("</div>")[0].split())
    assert '<li class="text-break">line 3: &#x27;a b:1&#x27;: write it as host:port' in beside
    assert '<li class="text-break">line 4: &#x27;x:99999&#x27;: write it as host:port' in beside
    assert not Release.objects.exists()


def test_the_form_left_empty_reaches_nothing(world: World) -> None:
    assert asked_by_form(world, " \r\n").status_code == 302
    assert Release.objects.get().serving["egress"] == []


def test_the_form_says_what_is_wrong_and_keeps_what_was_typed(world: World) -> None:
    answer = asked_by_form(world, "db.example:5432\nlocalhost:1")
    seen = answer.content.decode()
    assert "localhost is the replica itself" in seen
    assert "db.example:5432\nlocalhost:1</textarea>" in seen
    assert not Release.objects.exists()


@pytest.mark.parametrize(
    ("network", "says"),
    [
        ({"network": "own"}, "one for each"),
        ({"network": "host"}, "it can give none of its own"),
        ({"network": "own", "features": []}, "upgrade the agent"),
        ({"network": "<b>"}, "it can give none of its own"),
    ],
)
def test_a_target_says_what_network_its_replicas_get(
    world: World, node: SimulatedNode, network: dict[str, Any], says: str
) -> None:
    node.upgraded(**network)
    seen = browser(world.people["Otto"]).get(reverse("targets")).content.decode()
    assert says in seen.split("Network of replicas")[1].split("</dd>")[0]


def test_whoever_asked_under_an_open_policy_is_not_said_to_have_approved_it(world: World) -> None:
    seen = page(world, "Ada", world.request("development"))
    said = seen.split("Release 1 is approved")[1][:400]
    assert "triggered by Ada risk" in " ".join(re.sub("<[^>]*>", " ", said).split())


def test_an_endpoint_says_which_address_is_no_public_one(story: Story) -> None:
    story.live(serving={"egress": ["169.254.169.254:80", "a.example:1"]})
    path = f"/endpoints/{Endpoint.objects.get().pk}/settings/"
    seen = browser(story.people["Otto"]).get(path).content.decode()
    assert "169.254.169.254:80 is a cloud&#x27;s metadata service</span>" in seen
    assert "a.example:1 is" not in seen


def test_an_endpoint_says_that_its_node_is_silent(story: Story) -> None:
    story.live()
    path = f"/endpoints/{Endpoint.objects.get().pk}/"
    client = browser(story.people["Otto"])
    assert "has been silent" not in client.get(path).content.decode()
    ago = now() - timedelta(seconds=20)
    Node.objects.update(last_seen_at=ago, last_report_at=ago)
    seen = " ".join(client.get(path).content.decode().split())
    assert "local has been silent: what stands here is what it said last" in seen


def test_a_version_says_which_variables_it_reads(world: World) -> None:
    version = world.version(variables=["MODE", "LEVEL"])
    path = reverse("version", args=["risk", version.model.name, version.number])
    page = browser(world.people["Ada"]).get(path).content.decode()
    seen = re.sub(r"\s*([<>])\s*", r"\1", page)
    assert "<dt>Environment variables</dt><dd><code>MODE</code></dd><dt></dt>" in seen
    assert "<code>LEVEL</code>" in seen
