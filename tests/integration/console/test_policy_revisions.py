"""The page of one revision of a policy, also of one that is in force no more."""

import pytest

from apps.governance.actions import draft_policy, publish_policy, withdraw_policy
from apps.governance.models import PolicyRevision
from tests.support import factories
from tests.support.factories import browser
from tests.support.page_text import text_of
from tests.support.world import OPEN, World

pytestmark = pytest.mark.django_db
NOTE = "# as agreed with the second line\n"
REVIEWED = f"{NOTE}{OPEN}  - {{gate: approvals, role: reviewer, count: 1}}\n"
PAGE = "/policies/risk/staging/"


def page(world: World, path: str, who: str = "Rex") -> str:
    answer = browser(world.people[who]).get(path)
    assert answer.status_code == 200
    return " ".join(text_of(answer.content.decode()).split())


def links(world: World, path: str, who: str = "Rex") -> str:
    return browser(world.people[who]).get(path).content.decode()


@pytest.fixture
def old(world: World) -> PolicyRevision:
    """A revision with a comment, which another has replaced."""
    row = world.policy("staging", REVIEWED)
    world.policy("staging", OPEN)
    return row


def test_what_is_in_force_no_more_is_read_as_it_was_written(
    world: World, old: PolicyRevision
) -> None:
    shown = page(world, f"{PAGE}{old.number}/")
    assert NOTE.strip() in shown and "One reviewer" in shown
    assert "Superseded" in shown and f"replaced by r{old.number + 1}" in shown
    assert "Drafted by Vera risk" in shown and "Published by Vito risk" in shown
    assert f"Changes from r{old.number - 1}, the policy before it" in shown
    assert f"Changes since, up to the active policy r{old.number + 1}" in shown
    assert "Approved under it none" in shown
    current = page(world, f"{PAGE}{old.number + 1}/")
    assert "Active" in current and "In force since" in current
    assert "Changes since" not in current


def test_a_withdrawn_draft_says_who_withdrew_it_there_and_in_the_history(world: World) -> None:
    row = draft_policy(world.environment("staging"), source=REVIEWED, actor=world.vera)
    drafted = page(world, f"{PAGE}{row.number}/")
    assert "Draft" in drafted and "All drafts here" in drafted
    assert "Publish or withdraw" not in drafted, "Rex, who reviews, can do neither"
    assert "In force not published" in drafted and "never" not in drafted
    assert f"Changes to the active policy r{row.number - 1}" in drafted
    assert "Publish or withdraw this draft" in page(world, f"{PAGE}{row.number}/", "Vito")
    own = page(world, f"{PAGE}{row.number}/", "Vera")
    assert "Withdraw this draft" in own and "Publish or" not in own, "who drafted publishes not"
    withdraw_policy(row, actor=world.vito)
    shown = page(world, f"{PAGE}{row.number}/")
    assert "Withdrawn by Vito risk" in shown and "In force never" in shown
    assert NOTE.strip() in shown and "Publish or withdraw" not in shown
    assert "drafted by Vera risk, withdrawn by Vito risk" in page(world, PAGE)


def test_releases_deployments_and_the_history_lead_to_the_revision_that_let_them_in(
    world: World,
) -> None:
    asked = world.policy("staging", REVIEWED)
    release = world.request("staging")
    own = f"{PAGE}{asked.number}/"
    assert f'href="{own}"' in links(world, f"/releases/{release.pk}/")
    assert f'href="{own}"' in links(world, PAGE)
    world.decide(release, world.rex)
    assert "Approved under it 1 release" in page(world, own)
    ed = factories.person("Ed", {"auditor": world.project})
    log = browser(ed).get(f"/audit/?subject={asked.pk}").content.decode()
    assert f'href="{own}"' in log


def test_who_may_not_read_policies_reads_no_revision(world: World, old: PolicyRevision) -> None:
    outside = World("other").people["Rex"]
    ann = factories.person("Ann", {"admin": None})
    for who in (outside, ann):
        assert browser(who).get(f"{PAGE}{old.number}/").status_code == 404
    assert browser(world.people["Rex"]).get(f"{PAGE}r99/").status_code == 404


def test_the_api_and_pages_have_one_word_for_how_a_revision_stands(
    world: World, old: PolicyRevision
) -> None:
    draft_policy(world.environment("staging"), source=OPEN, actor=world.vera)
    client = factories.api(world.people["Rex"])
    base = "/api/v1/projects/risk/environments/staging/policies"
    items = client.get(base).json()["items"]
    assert [row["standing"] for row in items] == ["draft", "active", "superseded", "superseded"]
    assert client.get(f"{base}/{old.number}").json()["standing"] == "superseded"
    assert f"r{old.number} Superseded" in page(world, PAGE).replace("– ", "")


def test_a_withdrawn_draft_is_compared_with_what_was_in_force_when_it_was_withdrawn(
    world: World,
) -> None:
    place = world.environment("staging")
    first = world.policy("staging", OPEN)
    waits = draft_policy(place, source=OPEN, actor=world.vera)
    given_up = draft_policy(place, source=REVIEWED, actor=world.vera)
    withdraw_policy(given_up, actor=world.vito)
    publish_policy(waits, actor=world.vito)
    shown = page(world, f"{PAGE}{given_up.number}/")
    assert f"Changes from r{first.number}, in force when it was withdrawn" in shown
    assert f"Changes from r{waits.number}" not in shown
    assert f"Changes since, up to the active policy r{waits.number}" in shown
