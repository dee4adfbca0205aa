"""Notifications over the API."""

import pytest

from apps.notices.models import Preference, Watch
from tests.support.factories import api, service_account, token_for
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
