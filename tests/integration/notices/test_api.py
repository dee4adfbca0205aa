"""Notifications over the API."""

from datetime import timedelta

import pytest

from apps.governance.models import Absence
from apps.notices.models import Preference, Watch
from placet.kernel.clock import now
from tests.support.factories import api, grant, service_account, token_for
from tests.support.world import World

pytestmark = pytest.mark.django_db
PREFERENCES, WATCHES = "/notices/preferences", "/notices/watches"


def test_one_reads_and_chooses_how_one_is_told(world: World) -> None:
    rex = api(token_for(world.people["Rex"]))
    kinds = {row["kind"]: row for row in rex.get(PREFERENCES).json()["kinds"]}
    assert (kinds["review"]["way"], kinds["review"]["is_chosen"]) == ("now", False)
    answer = rex.post(PREFERENCES, {"kind": "review", "way": "daily"}).json()
    assert [row["way"] for row in answer["kinds"] if row["is_chosen"]] == ["daily"]
    own = {"kind": "review", "way": "none", "project": "risk"}
    assert rex.post(PREFERENCES, own).json()["projects"] == [own]
    rex.post(PREFERENCES, own | {"way": "usual"})
    rex.post(PREFERENCES, {"kind": "review", "way": "usual"})
    assert not Preference.objects.exists()


def test_one_watches_and_no_longer(world: World) -> None:
    rex = api(token_for(world.people["Rex"]))
    release = world.request("staging")
    for _ in range(2):
        assert rex.post(WATCHES, {"project": "risk"}).status_code == 204
        assert rex.post(WATCHES, {"release": release.pk, "is_on": False}).status_code == 204
    items = rex.get(WATCHES).json()["items"]
    assert [(row["release"], row["is_on"]) for row in items] == [(release.pk, False), (None, True)]
    rex.post(WATCHES, {"project": "risk", "is_on": False})
    assert [row["release"] for row in rex.get(WATCHES).json()["items"]] == [release.pk]
    assert Watch.objects.count() == 1


@pytest.mark.parametrize(
    ("at", "body", "fields"),
    [
        (PREFERENCES, {"kind": "news", "way": "now"}, ["/kind"]),
        (PREFERENCES, {"kind": "review", "way": "often"}, ["/way"]),
        (PREFERENCES, {"kind": "review", "way": "now", "project": "other"}, ["/project"]),
        (PREFERENCES, {"kind": "token", "way": "now", "project": "risk"}, ["/project"]),
        (WATCHES, {}, ["/project", "/release"]),
        (WATCHES, {"project": "risk", "release": "rel_1"}, ["/project", "/release"]),
        (WATCHES, {"release": "rel_1"}, ["/release"]),
        (WATCHES, {"project": "other"}, ["/project"]),
    ],
)
def test_what_is_wrong_is_named(
    world: World, at: str, body: dict[str, str], fields: list[str]
) -> None:
    answer = api(token_for(world.people["Rex"])).post(at, body)
    assert 400 <= answer.status_code < 500
    assert [each["pointer"] for each in answer.json()["errors"]] == fields


def test_a_program_is_told_of_nothing(world: World) -> None:
    bot = service_account("bot", world.people["Rex"], {"viewer": world.project})
    answer = api(token_for(bot)).post(WATCHES, {"project": "risk"})
    assert (answer.status_code, answer.json()["code"]) == (403, "only_people")


def test_a_program_does_not_read_what_its_owner_chose(world: World) -> None:
    bot = service_account("bot", world.people["Rita"], {"viewer": world.project})
    client = api(token_for(bot, scopes=["project.view"]))
    for path in ("/notices/preferences", "/notices/watches", "/absence"):
        assert client.get(path).status_code == 403, path


def test_a_token_that_only_reads_stops_nobodys_mail(world: World) -> None:
    release = world.request("staging")
    reads = api(token_for(world.people["Rex"], scopes=["project.view", "release.view"]))
    answers = [
        reads.post("/notices/preferences", {"kind": "review", "way": "none"}),
        reads.post("/notices/preferences", {"kind": "review", "way": "none", "project": "risk"}),
        reads.post("/notices/watches", {"release": release.pk, "is_on": False}),
        reads.post("/notices/watches", {"project": "risk"}),
    ]
    assert {(one.status_code, one.json()["code"]) for one in answers} == {(403, "narrow_token")}
    assert not Preference.objects.exists() and not Watch.objects.exists()


def test_a_token_of_one_project_chooses_for_that_project_alone(world: World) -> None:
    other, rita = World("other"), world.people["Rita"]
    grant(rita, {"reviewer": other.project})
    scopes = ["project.view", "release.view", "release.comment"]
    narrow = api(token_for(rita, scopes=scopes, project=world.project))
    choice = {"kind": "review", "way": "none"}
    assert narrow.post("/notices/preferences", choice).status_code == 403
    assert narrow.post("/notices/preferences", {**choice, "project": "risk"}).status_code == 200
    assert list(Preference.objects.values_list("project__slug", flat=True)) == ["risk"]
    whole = api(token_for(rita, scopes=scopes))
    assert whole.post("/notices/preferences", choice).status_code == 200


def test_a_token_of_one_project_neither_reads_nor_names_who_stands_in_elsewhere(
    world: World,
) -> None:
    other, rita = World("other"), world.people["Rita"]
    grant(rita, {"reviewer": other.project})
    scopes = ["project.view", "release.comment"]
    narrow = api(token_for(rita, scopes=scopes, project=world.project))
    assert narrow.get("/absence").status_code == 403
    body = {"deputy": "Rex other", "ends_at": (now() + timedelta(days=9)).isoformat()}
    assert narrow.post("/absence", body).status_code == 403
    assert narrow.post("/absence/clear").status_code == 403
    assert not Absence.objects.exists()
    whole = api(token_for(rita, scopes=scopes))
    assert whole.post("/absence", body).json()["deputy_name"] == "Rex other"
