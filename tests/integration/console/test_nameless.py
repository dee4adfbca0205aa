"""The e-mail address of somebody without a name is on no page of who may not see access."""

import pytest

from apps.console.queries.exports.access import PASSKEYS
from apps.console.queries.object_names import object_names
from apps.identity.models import User
from tests.integration.console.test_query_counts import many, notified, own_kinds, paths
from tests.support import factories
from tests.support.enrolment import offered_passkey
from tests.support.factories import actor_of, api, browser, person
from tests.support.world import World

pytestmark = pytest.mark.django_db
__all__ = ["own_kinds"]


@pytest.mark.usefixtures("own_kinds")
def test_no_page_or_list_tells_the_address_of_who_has_no_name(world: World) -> None:
    release = many(world)
    offered_passkey(world.people["Rex"])
    roles = ("contributor", "reviewer", "approver")
    eve = person("Eve", dict.fromkeys(roles, world.project))
    notified(world, actor_of(eve))
    places = paths(release)
    User.objects.exclude(pk=eve.pk).update(name="")
    others = list(User.objects.exclude(pk=eve.pk).values_list("email", flat=True))
    client, told, seen = browser(eve), {}, 0
    for name, path in places.items():
        answer = client.get(path)
        seen += answer.status_code == 200
        if found := [one for one in others if one in answer.content.decode()]:
            told[name] = found
    assert told == {}
    assert seen > len(places) / 2


def test_no_search_list_or_deputy_tells_the_address_of_who_has_no_name(world: World) -> None:
    passkey = offered_passkey(world.people["Rex"])
    rex = passkey.person
    User.objects.filter(pk=rex.pk).update(name="")
    passkey.person.refresh_from_db()
    rita, aud = world.people["Rita"], person("Aud", {"auditor": world.project})
    nobody = "somebody without a name"
    stands_in = api(factories.token_for(rita)).get("/absence").json()["may_stand_in"]
    assert nobody in [one["name"] for one in stands_in]
    hits = api(factories.token_for(aud)).get(f"/search?q={rex.pk}").json()["items"]
    assert [hit["title"] for hit in hits] == [nobody]
    assert object_names([], actor_of(aud), actors=[rex.pk])[rex.pk].name == nobody
    assert PASSKEYS.columns["person"](passkey) == nobody
    assert nobody in browser(rita).get("/absence/").content.decode()
