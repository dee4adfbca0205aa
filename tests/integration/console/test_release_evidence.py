"""The tab of a release with the evidence that it is bound to: what was pinned, and nothing else."""

import gzip
import random
import string
from typing import Any

import pytest
from django.db import connection

from apps.governance.models import Release
from apps.registry.actions import add_evidence, set_card
from apps.registry.models import Evidence
from placet.kernel.actor import SYSTEM
from placet.kernel.clock import now
from tests.support import factories
from tests.support.evidence import EVERY_KIND, add_every_kind
from tests.support.factories import browser
from tests.support.page_text import text_of
from tests.support.world import World

pytestmark = pytest.mark.django_db
MOST_QUERIES = 12
MOST_BYTES = 60_000  # of a page, as it is sent


def tab(world: World, release: Release, who: str = "Rex") -> str:
    """Return what the tab says, a line for each block, on one line."""
    answer = browser(world.people[who]).get(f"/releases/{release.pk}/evidence/")
    assert answer.status_code == 200, answer.content
    return " | ".join(text_of(answer.content.decode()).splitlines())


def overview(world: World, release: Release) -> str:
    answer = browser(world.people["Rex"]).get(f"/releases/{release.pk}/")
    return " ".join(answer.content.decode().split())


@pytest.fixture
def waiting(world: World) -> Release:
    """A release to staging that waits, with metrics, a scan and a smoke test."""
    return world.request("staging", world.bento(world.version(), metrics={"auc": 0.91}))


def test_the_tab_shows_what_was_pinned_and_counts_what_was_added_since(
    world: World, waiting: Release
) -> None:
    said = tab(world, waiting)
    assert "The request pinned 3 items" in said
    assert "auc Discuss | 0.91" in said
    assert "Nothing was added to churn:1 since." in said
    version = waiting.version
    add_evidence(version, kind="metrics", data={"auc": 0.5}, source="reported", actor=world.alan)
    add_evidence(
        version,
        kind="document",
        data={"title": "Afterthought", "sha256": "0" * 64},
        source="reported",
        actor=world.alan,
    )
    said = tab(world, waiting)
    assert "The request pinned 3 items" in said
    assert "auc Discuss | 0.91" in said
    assert "auc Discuss | 0.5 " not in said and "Afterthought" not in said
    assert "2 items were added to churn:1 since : not shown here, and no part" in said


def test_each_item_says_who_reported_it_or_that_placet_measured_it(
    world: World, waiting: Release
) -> None:
    said = tab(world, waiting)
    assert "1 metric reported by Ada risk (ago)" in said
    assert "measured by Placet (ago)" in said
    assert said.count("Digest (digest)") == 3


def test_overview_leads_to_the_evidence_and_each_tab_to_the_other(
    world: World, waiting: Release
) -> None:
    url = f"/releases/{waiting.pk}/"
    assert f'<a href="{url}evidence/">3 items</a>' in overview(world, waiting)
    answer = browser(world.people["Rex"]).get(f"{url}evidence/").content.decode()
    assert f'href="{url}"' in answer
    assert 'aria-current="page"' in answer


def test_who_may_not_see_the_release_is_answered_as_its_page_answers(
    world: World, waiting: Release
) -> None:
    stranger = browser(factories.person("Sten", roles={"reviewer": World("other").project}))
    nobody = browser(factories.person("Nemo"))
    for path in (f"/releases/{waiting.pk}/", f"/releases/{waiting.pk}/evidence/"):
        assert stranger.get(path).status_code == 404
        assert nobody.get(path).status_code == 404
    assert stranger.get("/releases/rel_nothing/evidence/").status_code == 404


@pytest.mark.parametrize(
    ("kind", "says"),
    [
        ("metrics", "Metric | proposed 1 | auc Discuss | 0.9312"),
        ("fairness", "Gap, largest to smallest | 0.03 | 0.09"),
        ("explainability", "3 features by permutation importance"),
        ("data_quality", "✕ 1 of 2 checks passed"),
        ("load_test", "Throughput | 380.5 requests a second"),
        ("scan", "model.joblib | calls churn.load | ▲ Code-carrying"),
        ("smoke_test", "Row | Sent | Expected | 0 | age: 41 | 0 | 1 | age: 7 | 0"),
        ("acceleration", "Predictions | at most 0.0001 apart"),
        ("sbom", "Licences | not in it: it lists packages, versions and hashes"),
        ("model_signature", "▲ Signed by an untrusted key"),
        ("document", "Placet keeps the digest, not the document"),
    ],
)
def test_every_kind_is_shown_as_what_it_is(world: World, kind: str, says: str) -> None:
    version = world.version(example=[{"age": 41}, {"age": 7}], expected=[0, 0])
    bento = world.bento(version)
    add_every_kind(world, bento, world.alan)
    release = world.request("development", bento)
    pinned = {pin["kind"] for pin in release.evidence}
    assert pinned == set(EVERY_KIND), "an empty card is none"
    assert says in tab(world, release)


def test_what_was_pinned_and_altered_since_is_said_to_be_gone(
    world: World, waiting: Release
) -> None:
    row = Evidence.objects.get(version=waiting.version, kind="metrics")
    with connection.cursor() as cursor:
        cursor.execute(
            "UPDATE registry_evidence SET data = '{\"auc\": 0.99}' WHERE id = %s", [row.pk]
        )
    said = tab(world, waiting)
    assert "Gone or altered since it was pinned" in said
    assert "0.99" not in said


def test_metrics_stand_beside_those_of_what_is_live_and_later_of_what_was(world: World) -> None:
    live = world.live("development", world.bento(world.version(), metrics={"auc": 0.9, "ece": 0.2}))
    better = world.bento(world.version(), metrics={"auc": 0.95, "ece": 0.3})
    release = world.request("development", better)
    said = tab(world, release)
    assert "Metric | live 1 | proposed 2 | Change" in said
    assert "auc Discuss | 0.9 | 0.95 | ▲ +0.05 better" in said
    assert "ece Discuss | 0.2 | 0.3 | ▲ +0.1 worse" in said
    world.live("development", world.bento(world.version(), metrics={"auc": 0.1}))
    live.refresh_from_db()
    assert live.state == "superseded"
    assert "live 3" in tab(world, release)
    Release.objects.filter(pk=release.pk).update(state="superseded", seen_live=live.pk)
    assert "then live 1" in tab(world, release)


def test_the_card_is_shown_with_what_changed_since_the_version_approved_before(
    world: World,
) -> None:
    first = world.version(card="# Churn\n\nFor **retail** alone.\n")
    world.live("development", world.bento(first))
    second = world.version(card="# Churn\n\nFor retail and *business*.\n")
    bento = world.bento(second)
    add_every_kind(world, bento, world.alan)
    release = world.request("development", bento)
    said = tab(world, release)
    assert "Compared with churn:1, which was approved for development / churn last." in said
    assert "-For **retail** alone." in said
    assert "+For retail and *business*." in said
    assert "✓ This is the card that the request pinned." in said
    set_card(second, card="# Churn\n\nFor everybody.\n", actor=SYSTEM)
    said = tab(world, release)
    assert "▲ Edited since the request" in said
    assert "edited since: this is the digest of an earlier one" in said
    assert "For everybody." in said
    Release.objects.filter(pk=release.pk).update(approved_at=now())
    before = "churn:1, which was approved for development / churn before this release."
    assert f"Compared with {before}" in tab(world, release)


def test_a_card_that_was_not_pinned_is_said_to_bind_nobody(world: World) -> None:
    bento = world.bento(world.version(card="# Churn\n\nText.\n"))
    said = tab(world, world.request("development", bento))
    assert "Not pinned: no decision is bound to the text of this card" in said
    assert "No other version was approved for development / churn before" in said
    bare = world.request("development", world.bento(world.version()), endpoint="bare")
    assert "churn:2 has no model card." in tab(world, bare)


def test_a_card_is_compared_with_that_of_another_endpoint_where_this_one_is_new(
    world: World,
) -> None:
    same = {"card": "# Churn\n"}
    world.live("development", world.bento(world.version(**same)), endpoint="first")
    release = world.request("development", world.bento(world.version(**same)), endpoint="second")
    said = tab(world, release)
    same = "The same card as of churn:1, which was approved for development"
    assert f"{same} before this release." in said
    again = world.request("development", release.bento, endpoint="first")
    assert f"{same} / first before this release." in tab(world, again)


def test_a_card_is_shown_as_far_as_the_page_goes_and_what_differs_too(world: World) -> None:
    before = world.version(card="\n".join(f"Line {n} of before." for n in range(400)))
    world.live("development", world.bento(before))
    card = "# Churn\n\n" + "\n".join(f"Line {n} of what is new." for n in range(1_000))
    said = tab(world, world.request("development", world.bento(world.version(card=card))))
    assert "Line 10 of what is new." in said and "Line 999 of what is new." not in said
    assert "The card goes on: all of it stands on the page of churn:2." in said
    assert "more lines differ." in said


def test_the_page_takes_few_queries_whatever_was_pinned(
    world: World, django_assert_max_num_queries: Any
) -> None:
    world.live("development", world.bento(world.version(card="# One"), metrics={"auc": 0.9}))
    bento = world.bento(world.version(card="# Two"))
    program = factories.service_account(
        "pipeline", world.people["Alan"], {"contributor": world.project}
    )
    add_every_kind(world, bento, world.alan)
    add_evidence(
        bento.version,
        kind="metrics",
        data={"auc": 0.91},
        source="reported",
        actor=factories.actor_of(program),
    )
    release = world.request("development", bento)
    rex = browser(world.people["Rex"])
    rex.get("/")
    with django_assert_max_num_queries(MOST_QUERIES):
        answer = rex.get(f"/releases/{release.pk}/evidence/")
    assert "pipeline" in answer.content.decode()


def noise(letters: int) -> str:
    """Return text that nothing makes shorter."""
    return "".join(random.choices(string.ascii_letters + string.digits, k=letters))


def test_a_hundred_pieces_with_large_bodies_and_a_large_card_make_a_small_page(
    world: World,
) -> None:
    random.seed(7)
    version = world.version(card="\n".join(noise(80) for _ in range(2_000)))
    world.live("development", world.bento(world.version(card=noise(9_000))))
    bento = world.bento(version)
    pins = []
    for number in range(100):
        kind = ("metrics", "fairness", "explainability", "data_quality", "document")[number % 5]
        names = [noise(60) for _ in range(200)]
        data: dict[str, Any] = {
            "metrics": {f"m{name}": index for index, name in enumerate(names)},
            "fairness": {"attribute": noise(400), "metrics": dict.fromkeys(names, 0.5)},
            "explainability": {"method": noise(400), "importances": dict.fromkeys(names, 0.5)},
            "data_quality": {"rows": 9, "checks": [{"name": n, "passed": True} for n in names]},
            "document": {"title": noise(400), "sha256": "0" * 64, "text": noise(20_000)},
        }[kind]
        row = add_evidence(version, kind=kind, data=data, source="reported", actor=world.alan)
        pins.append({"id": row.pk, "kind": kind, "digest": row.digest})
    release = world.request("development", bento)
    Release.objects.filter(pk=release.pk).update(evidence=pins)
    answer = browser(world.people["Rex"]).get(f"/releases/{release.pk}/evidence/")
    assert "The request pinned 100 items" in answer.content.decode()
    assert "more not shown here" in answer.content.decode()
    assert len(gzip.compress(answer.content)) < MOST_BYTES
