"""Who could break a glass: shown in words, and refused when it is fewer than the policy says."""

import pytest

from apps.assurance.actions import recall
from apps.governance.errors import BypassOpened, NobodyCoSigns
from apps.governance.queries.duties import Duty, duties_of
from apps.identity import actions
from apps.identity.models import RoleBinding
from placet.kernel.actor import SYSTEM
from tests.support import factories
from tests.support.break_glass import POLICY, SAID, opened, responder
from tests.support.factories import api
from tests.support.page_text import text_of
from tests.support.world import World

pytestmark = pytest.mark.django_db


def staging(world: World) -> Duty:
    """Return how it stands in staging."""
    return duties_of([world.environment("staging")])[0]


def test_two_who_may_break_it_are_no_bypass_and_are_named(world: World) -> None:
    responder(world)
    world.policy("staging", POLICY + SAID)
    factories.grant(world.people["Ada"], {"responder": world.project})
    duty = staging(world)
    assert (duty.state, duty.demanded) == ("kept", 3)
    assert duty.break_glass is not None
    assert (duty.break_glass.demanded, duty.break_glass.hours) == (2, 4)
    assert duty.break_glass.fewest is not None and duty.break_glass.fewest.people == 2
    assert duty.break_glass.path[1] == "Ada risk starts an emergency release, with a reason"
    eve = factories.person("Eve", roles={"auditor": None})
    shown = {d["environment"]: d["break_glass"] for d in api(eve).get("/duties").json()["items"]}
    assert shown["production"] is None
    assert (shown["staging"]["people"], shown["staging"]["skip"]) == (2, ["freeze"])


def test_without_it_there_is_nothing_to_say(world: World) -> None:
    responder(world)
    assert staging(world).break_glass is None


@pytest.mark.parametrize("recalled", [False, True])
def test_without_a_responder_who_counts_nobody_could(world: World, recalled: bool) -> None:
    if recalled:
        rob = responder(world)
        operator = factories.actor_of(factories.person("Oda", {"operator": None}))
        recall(kind="person", what=rob.id, reason="coerced", actor=operator)
    world.policy("staging", POLICY + SAID)
    found = staging(world).break_glass
    assert found is not None and found.nobody
    auditor = factories.browser(factories.person("Eve", roles={"auditor": None}))
    page = text_of(auditor.get("/duties/").content.decode())
    assert "Nobody could: it takes a responder and 1 approver whose decisions count." in page


def test_a_second_account_that_would_make_one_enough_is_refused(world: World) -> None:
    world.policy("staging", POLICY + SAID)
    ann = factories.actor_of(factories.person("Ann", roles={"admin": None}))
    factories.grant(world.people["Ada"], {"responder": world.project})
    second = actions.create_person(email="ada.risk+on-call@example.com", name="A. L.", actor=ann)
    with pytest.raises(BypassOpened) as refused:
        actions.grant_role(role="approver", person=second, project=world.project, actor=ann)
    said = refused.value.detail
    assert "one person could" in said or "2 people could" in said


def test_one_human_who_could_is_a_bypass_however_it_came(world: World) -> None:
    second = actions.create_person(email="ada.risk+x@example.com", name="A. L.", actor=SYSTEM)
    factories.grant(world.people["Ada"], {"responder": world.project})
    factories.grant(second, {"approver": (world.project, "staging")})
    source = "version: 1\ngates:\n  - {gate: build}\n" + SAID
    with pytest.raises(BypassOpened, match="start an emergency release"):
        world.policy("staging", source)
    duty = staging(world)
    assert duty.break_glass is None, "nothing was published"


def test_somebody_who_opened_one_counts_though_their_role_is_gone(world: World) -> None:
    rob = responder(world)
    world.policy("staging", POLICY + SAID)
    before = staging(world).break_glass
    opened(world, world.request("staging"))
    for binding in list(RoleBinding.objects.filter(person=world.people["Rob"])):
        actions.revoke_role(binding, actor=SYSTEM)
    after = staging(world).break_glass
    assert rob.id and before is not None and after is not None
    assert after.fewest is not None
    assert any("starts an emergency release" in step for step in after.path)


def test_who_could_start_one_that_nobody_else_could_co_sign_is_told_so_and_offered_none(
    world: World,
) -> None:
    rob = responder(world)
    world.policy("staging", POLICY + SAID)
    release = world.request("staging")
    button, path = "Start emergency release…", f"/releases/{release.pk}/"
    client = factories.browser(world.people["Rob"])
    assert button in text_of(client.get(path).content.decode())
    for name in ("Vera", "Vito"):
        actions.deactivate_person(world.people[name], actor=SYSTEM)
    why = (
        "An emergency release must be co-signed by 1 approver of staging who did not start it,"
        " request the release or create its version, and nobody could here"
    )
    page = text_of(client.get(path).content.decode())
    assert why in page and button not in page
    with pytest.raises(NobodyCoSigns, match="nobody could here"):
        opened(world, release, rob)


def test_who_requested_the_release_or_starts_it_is_nobody_else(world: World) -> None:
    rob = responder(world)
    world.policy("staging", POLICY + SAID.replace("people: 2", "people: 3"))
    release = world.request("staging")
    actions.deactivate_person(world.people["Vito"], actor=SYSTEM)
    factories.grant(world.people["Ada"], {"approver": world.project})
    factories.grant(world.people["Rob"], {"approver": world.project})
    with pytest.raises(NobodyCoSigns, match=r"by 2 approvers of staging .* and only 1 could here"):
        opened(world, release, rob)
