"""Who was asked by name is waited for, and told of once it is due, while they can still decide."""

from datetime import datetime

import pytest

from apps.governance import actions
from apps.governance.actions import reviewing
from apps.governance.models import ReviewRequest
from apps.governance.queries.review_requests import reviewers
from apps.identity.actions import deactivate_person, erase_person, revoke_role
from apps.identity.models import RoleBinding
from placet.kernel.actor import SYSTEM
from tests.integration.governance.test_review_requests import ask, events, overdue, states
from tests.support import factories
from tests.support.page_text import text_of
from tests.support.world import World

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("no_io_in_transaction")]


@pytest.mark.parametrize("loss", ["deactivated", "erased", "role", "asked role"])
def test_nobody_waits_for_who_cannot_decide_any_more(world: World, loss: str) -> None:
    release, rita = world.request("staging"), world.people["Rita"]
    ask(world, release, "Rita", "Rex", review_days=1)
    if loss == "deactivated":
        deactivate_person(rita, actor=SYSTEM)
    elif loss == "erased":
        erase_person(deactivate_person(rita, actor=SYSTEM), actor=SYSTEM)
    else:
        revoke_role(RoleBinding.objects.get(person=rita), actor=SYSTEM)
    if loss == "asked role":  # they hold another, of which the policy asks none
        factories.grant(rita, {"approver": world.project})
    overdue(release)
    found = {one.person: (one.state, one.is_open) for one in reviewers(release)}
    assert found == {rita.pk: ("cannot_decide", False), world.rex.id: ("overdue", True)}
    assert actions.tell_overdue() == 1
    assert [one["person"] for one in events(release, "review_overdue")] == [world.rex.id]
    page = text_of(
        factories.browser(world.people["Ada"]).get(f"/releases/{release.pk}/").content.decode()
    )
    assert "cannot decide any more" in page
    actions.remove_review_request(ReviewRequest.objects.get(person=rita.pk), actor=world.ada)


def test_a_role_held_by_a_team_or_everywhere_is_waited_for(world: World) -> None:
    release = world.request("staging")
    people = [factories.person("Tess"), factories.person("Max", roles={"reviewer": None})]
    factories.grant(factories.team("Crew", people[0]), {"reviewer": world.project})
    ids = [one.pk for one in people]
    actions.request_review(release, reviewers=ids, review_days=1, actor=world.ada)
    overdue(release)
    assert states(release) == {"Tess": "overdue", "Max": "overdue"}
    assert actions.tell_overdue() == 2


def test_no_crowd_of_overdue_ones_keeps_others_from_being_told(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reviewing, "BATCH", 2)
    crowd, releases = World("other"), []
    for endpoint in ("one", "two"):
        releases.append(crowd.request("staging", endpoint=endpoint))
        ask(crowd, releases[-1], "Rita", "Rex", review_days=1)
        overdue(releases[-1])
    last = world.request("staging")
    ask(world, last, "Rita", review_days=1)
    overdue(last)
    tell = reviewing._tell

    def failing(request: ReviewRequest, at: datetime) -> bool:
        return tell(request, at) if request.release_id != releases[0].pk else 1 / 0 > 0

    with monkeypatch.context() as patch:
        patch.setattr(reviewing, "_tell", failing)
        with pytest.raises(ZeroDivisionError):
            actions.tell_overdue()
    assert [len(events(one, "review_overdue")) for one in (*releases, last)] == [0, 2, 1]
    assert [actions.tell_overdue() for _ in range(2)] == [2, 0]
