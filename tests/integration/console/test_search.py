"""The search finds what has a name, a number or a digest, and only what its reader may see."""

import json
from pathlib import Path
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from apps.assurance.actions import recall
from apps.builds.models import Build
from apps.console.queries import guide_titles
from apps.console.queries.search_terms import wanted
from apps.governance.models import PolicyRevision, Release
from apps.registry.actions import set_alias
from placet.kernel.actor import SYSTEM
from tests.support import factories
from tests.support.factories import api, browser
from tests.support.world import OPEN, World

pytestmark = pytest.mark.django_db
MOST = 12


@pytest.fixture(autouse=True)
def no_guides(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The guides are not built, whatever lies in this clone; return where they would be."""
    monkeypatch.setattr(guide_titles, "GUIDES", tmp_path)
    return tmp_path


@pytest.fixture
def live(world: World) -> Release:
    return world.live()


def found(who: Any, text: str) -> list[tuple[str, str]]:
    answer = api(who).get(f"/search?q={text}")
    assert answer.status_code == 200
    return [(hit["kind"], hit["title"]) for hit in answer.json()["items"]]


def everyone(release: Release) -> Any:
    return factories.person("Eve", roles={"contributor": release.project, "auditor": None})


def test_a_text_is_taken_apart() -> None:
    assert wanted("  Churn ").text == "churn"
    assert wanted("risk/churn:3").number == 3
    assert wanted("churn:champion").alias == "champion"
    assert wanted("sha256:9F86").digest == wanted("sha256:9F86").text == "9f86"
    assert wanted("9f86d081").digest == "9f86d081"
    assert wanted("12").release == wanted("#12").release == wanted("Release 12").release == 12
    assert (wanted("risk/12").release, wanted("risk/12").project) == (12, "risk")
    assert wanted("12").project == ""
    assert wanted("1234").digest == ""
    assert wanted("1234567").digest == "1234567"
    assert wanted("x" * 500).text == "x" * 160


def test_everything_is_found_by_what_people_know_of_it(live: Release) -> None:
    eve = everyone(live)
    version = live.version
    set_alias(version.model, name="champion", version=version, actor=SYSTEM)
    released = ("release", f"Risk release {live.number}")
    built = ("build", "Build of churn:1")
    assert found(eve, "chur") == [("model", "churn"), released, ("endpoint", "churn"), built]
    assert found(eve, "churn:1") == found(eve, "risk/churn:1") == [("version", "churn:1"), built]
    assert found(eve, "champ") == found(eve, "churn:champ") == [("version", "churn:1")]
    assert found(eve, version.artifact_digest) == [("version", "churn:1")]
    assert found(eve, version.artifact_digest[7:15]) == [("version", "churn:1")]
    assert found(eve, live.bento_id[:16]) == [("version", "churn:1")]
    assert found(eve, str(live.number)) == [("release", f"Risk release {live.number}")]
    assert found(eve, f"risk/{live.number}") == [("release", f"Risk release {live.number}")]
    assert found(eve, f"other/{live.number}") == []
    assert found(eve, "risk")[:1] == [("project", "Risk")]
    assert found(eve, "local") == [("target", "local")]
    policy = ("policy", "Policy r1 of production")
    assert found(eve, "produc") == [("environment", "production"), policy]
    assert ("person", "Vera risk") in found(eve, "vera")
    for row, kind in ((live, "release"), (version, "version"), (live.endpoint, "endpoint")):
        assert [k for k, _ in found(eve, row.pk)] == [kind]
    assert (
        found(eve, "")
        == found(eve, "%25")
        == found(eve, "_")
        == found(eve, "nothing-like-it")
        == []
    )


def test_equal_names_come_before_those_that_begin_so_and_those_that_hold_it(world: World) -> None:
    for name in ("b-churn", "churn-a", "churn"):
        world.version(name)
    names = [title for kind, title in found(world.people["Ada"], "churn") if kind == "model"]
    assert names == ["churn", "churn-a", "b-churn"]


def test_a_stranger_finds_nothing_of_another_project(live: Release) -> None:
    set_alias(live.version.model, name="champion", version=live.version, actor=SYSTEM)
    stranger = World("other").people["Ada"]
    texts = [
        "churn",
        "churn:1",
        "champion",
        "churn:champion",
        live.version.artifact_digest,
        live.bento_id,
        str(live.number),
        "risk",
        "vera",
        live.pk,
        live.version_id,
        live.endpoint_id,
        live.project_id,
    ]
    assert [(text, found(stranger, text)) for text in texts] == [(text, []) for text in texts]
    assert found(factories.person("Nina"), "local") == []


def test_a_release_is_found_by_what_was_said_of_it(world: World) -> None:
    release = world.request("staging", reason="Recalibrated, see RISK-231")
    eve, said = everyone(release), [("release", f"Risk release {release.number}")]
    assert found(eve, "risk-231") == found(eve, "recalib") == said
    assert found(World("other").people["Ada"], "risk-231") == []


def test_a_token_finds_what_it_may_read(live: Release) -> None:
    eve = everyone(live)
    narrow = factories.token_for(eve, scopes=["project.view", "model.view"])
    assert found(narrow, "churn") == [("model", "churn")]
    assert found(narrow, "churn:1") == found(narrow, live.pk) == []


def test_no_search_takes_more_than_twelve_queries(live: Release) -> None:
    client = browser(everyone(live))
    for text in ("churn", "churn:1", "12", "12345678", "abcd", live.pk, live.bento_id):
        for path in ("/search/", "/api/v1/search"):
            with CaptureQueriesContext(connection) as caught:
                assert client.get(path, {"q": text}).status_code == 200
            assert len(caught) <= MOST, (path, text, len(caught))


def test_the_page_shows_what_was_found_and_says_what_to_type(live: Release) -> None:
    client = browser(everyone(live))
    shown = client.get("/search/?q=churn").content.decode()
    assert f'href="/endpoints/{live.endpoint_id}/"' in shown
    assert 'href="/models/risk/churn/"' in shown
    assert (
        "Search models, releases, endpoints and people" in client.get("/search/").content.decode()
    )
    odd = client.get("/search/", {"q": "<script>a\u202e" + "x" * 500})
    assert "<script>a" not in odd.content.decode()
    assert "No matches" in odd.content.decode()


def test_who_administers_or_audits_access_is_led_to_the_person(live: Release) -> None:
    for who in (factories.person("Ann", {"admin": None}), everyone(live)):
        vera = next(h for h in api(who).get("/search?q=vera").json()["items"])
        assert vera["url"] == f"/people/{vera['id']}/"
        assert browser(who).get(vera["url"]).status_code == 200


def test_recalls_builds_and_policies_are_found_by_id_by_who_may_see_them(world: World) -> None:
    version = world.version()
    build = Build.objects.create(version=version, project=world.project, requested_by="system")
    said = {"kind": "person", "what": world.people["Vito"].pk, "reason": "x"}
    everywhere = recall(**said, actor=SYSTEM)
    policy = PolicyRevision.objects.filter(environment__name="staging").latest("number")
    auditor = factories.person("Eve", {"auditor": None})
    assert found(auditor, everywhere.pk) == [("recall", "Recall of Vito risk's decisions")]
    assert found(auditor, build.pk) == [("build", f"Build of {version}")]
    assert found(auditor, policy.pk) == [("policy", f"Policy r{policy.number} of staging")]
    stranger = World("other").people["Ada"]
    for one in (everywhere, build, policy):
        (hit,) = api(auditor).get(f"/search?q={one.pk}").json()["items"]
        assert browser(auditor).get(hit["url"]).status_code == 200
        assert found(stranger, one.pk) == []
    assert found(factories.person("Ed", {"auditor": world.project}), everywhere.pk) == []


def test_recalls_builds_and_policies_are_found_by_what_people_call_them(world: World) -> None:
    version = world.version()
    Build.objects.create(version=version, project=world.project, requested_by="system")
    said = {"kind": "person", "what": world.people["Vito"].pk, "reason": "x"}
    recall(**said, actor=SYSTEM)
    recall(kind="version", what=version.pk, reason="x", project=world.project, actor=world.otto)
    number = PolicyRevision.objects.filter(environment__name="staging").latest("number").number
    eve, stranger = factories.person("Eve", {"auditor": None}), World("other").people["Ada"]
    person, of_version = (
        ("recall", "Recall of Vito risk's decisions"),
        ("recall", "Recall of churn:1"),
    )
    build, policy = ("build", "Build of churn:1"), ("policy", f"Policy r{number} of staging")
    for text, hits in {
        "vito": [person],
        "VITO risk": [person],
        "churn": [of_version, build],
        "churn:1": [of_version, build],
        "risk/churn:1": [of_version, build],
        "churn:2": [],
        "other/churn:1": [],
        "risk churn": [of_version, build],
        "stagin": [policy],
        f"policy r{number} staging": [policy],
        "xy": [],
    }.items():
        kinds = ("recall", "build", "policy")
        rows = [hit for hit in found(eve, text) if hit[0] in kinds]
        mine = [hit for hit in rows if hit[0] != "policy" or hit == policy]
        assert mine[: len(hits) or None] == hits, text
        assert not [hit for hit in found(stranger, text) if hit in (person, of_version, build)]
    ed = factories.person("Ed", {"auditor": world.project})
    assert person not in found(ed, "vito") and of_version in found(ed, "churn:1")


def test_a_policy_that_another_one_has_replaced_is_found_by_its_id_alone(world: World) -> None:
    old = PolicyRevision.objects.filter(environment__name="staging").latest("number")
    new = world.policy("staging", OPEN)
    eve = factories.person("Eve", {"auditor": world.project})
    titles = [title for kind, title in found(eve, "policy staging") if kind == "policy"]
    assert titles == [f"Policy r{new.number} of staging"]
    assert found(eve, old.pk) == [("policy", f"Policy r{old.number} of staging")]


def test_people_and_teams_are_found_where_members_names_them(world: World) -> None:
    crew = factories.team("Night Crew", roles={"reviewer": world.project})
    factories.person("Nora Elsewhere", {"approver": None})
    every, part = factories.person("Eve", {"auditor": None}), {"auditor": world.project}
    ed, page = factories.person("Ed", part), f"/administration/teams/{crew.pk}/"
    for who, url in ((every, page), (ed, "/projects/risk/members/")):
        for text in ("crew", crew.pk):
            (hit,) = api(who).get(f"/search?q={text}").json()["items"]
            assert (hit["kind"], hit["title"]) == ("team", "Night Crew")
            assert hit["url"] == url
            assert browser(who).get(url).status_code == 200
    rex = ("person", "Rex risk")
    assert rex in found(every, "rex") and found(ed, "rex") == found(ed, world.rex.id) == [rex]
    assert found(ed, "nora") == [] == found(ed, "rex.risk@example.com")
    assert found(World("other").people["Ada"], "crew") == []


def test_the_guides_are_found_by_their_titles(live: Release, no_guides: Path) -> None:
    index = {
        "docnames": ["install", "operate"],
        "titles": ["Install", "Operating"],
        "alltitles": {
            "Operating": [[1, None]],
            "Back up": [[1, "back-up"]],
            "Install": [[0, None]],
        },
    }
    eve = everyone(live)
    assert found(eve, "back up") == []  # nobody built them
    (no_guides / "searchindex.js").write_text(f"Search.setIndex({json.dumps(index)})")
    assert found(eve, "back up") == found(eve, "operating up") == [("guide", "Back up")]
    assert api(eve).get("/search?q=back up").json()["items"][0]["detail"] == "Docs: Operating"
    assert api(eve).get("/search?q=install").json()["items"][0]["detail"] == "Docs"
    assert api(eve).get("/search?q=back up").json()["items"][0]["url"] == (
        "/docs/operate.html#back-up"
    )


def test_each_of_several_words_may_stand_anywhere_of_a_release(world: World) -> None:
    said = "Recalibrated on the wombat data, see RISK-231"
    first = world.request("staging", reason=said)
    second = world.request("production", reason=said)
    eve, one = everyone(first), ("release", f"Risk release {first.number}")
    for text in ("wombat staging", "STAGING recalib", "risk wombat stag", "churn stag"):
        assert [hit for hit in found(eve, text) if hit[0] == "release"] == [one], text
    assert found(eve, "wombat") == [("release", f"Risk release {second.number}"), one]
    assert found(eve, "wombat elsewhere") == found(World("other").people["Ada"], "wombat") == []
    hits = api(eve).get("/search?q=wombat").json()["items"]
    for hit, state in zip(hits, ("failed", "requested"), strict=True):
        told = f", {state}. Ada risk asked for it: “{said}”"
        assert hit["detail"].endswith(told), hit


def test_the_reason_of_a_release_that_was_rejected_is_whose_it_is(world: World) -> None:
    release = world.request("staging", reason="Needs fewer wombats")
    world.decide(release, world.rex, verdict="reject", comment="Too few")
    (hit,) = api(everyone(release)).get("/search?q=wombats").json()["items"]
    assert hit["detail"].endswith(", rejected. Ada risk asked for it: “Needs fewer wombats”")


def test_each_of_several_words_may_stand_in_another_field(world: World) -> None:
    release = world.request(
        "staging", world.bento(world.version("demand")), endpoint="till", reason="For approval"
    )
    eve = everyone(release)
    one = ("release", f"Risk release {release.number}")
    for text in ("demand approval", "approval demand", "demand requested", "demand till"):
        assert found(eve, text) == [one], text
    built = ("build", "Build of demand:1")
    assert found(eve, "demand risk") == [("model", "demand"), one, built]
    assert found(eve, "till staging") == [one, ("endpoint", "till")]
    assert ("environment", "staging") in found(eve, "risk stag")
    assert ("person", "Vera risk") in found(eve, "risk vera")
    assert found(eve, "demand elsewhere") == []
    assert found(World("other").people["Ada"], "demand risk") == []
