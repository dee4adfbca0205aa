"""Captured predictions: in once, readable by few, gone when they are to be."""

import json
import zlib
from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest
import time_machine
from django.db import connection
from django.test.utils import CaptureQueriesContext

from apps.audit.models import Event
from apps.governance.models import Release
from apps.monitoring import actions, parquet, queries
from apps.monitoring.models import CapturedPrediction, CapturePart, CaptureRange, Erasure
from apps.registry.store import store
from apps.rollouts.models import Rollout
from apps.rollouts.queries import disagreements
from apps.serving.models import Endpoint, Revision
from placet.kernel.actor import SYSTEM
from placet.kernel.clock import now, rfc3339
from placet.kernel.problems import Forbidden, InvalidInput, NotFound
from tests.support import factories
from tests.support.captures import FILE, line, send, text
from tests.support.nodes import SimulatedNode
from tests.support.story import Story
from tests.support.world import World

pytestmark = pytest.mark.django_db
CAPTURE = {"percent": 100, "days": 7}


@pytest.fixture
def endpoint(story: Story) -> Endpoint:
    """An endpoint whose live revision captures everything."""
    return released(story).endpoint


def released(story: Story, **capture: Any) -> Release:
    """Take a version that captures all the way to live."""
    serving = {"unit": {"header": "X-User"}, "capture": CAPTURE | capture}
    return story.live(serving=serving)


def live(endpoint: Endpoint) -> Revision:
    """Return what serves."""
    return Revision.objects.get(endpoint=endpoint, state="live")


def capture(node: SimulatedNode, endpoint: Endpoint, *lines: dict[str, Any]) -> None:
    """Have the node send lines of a file of their own, and the platform store them."""
    file = f"{uuid4().hex}-000000.jsonl"
    assert send(node, live(endpoint).pk, text(*lines), file=file)[0] == 201
    actions.store_captures()


def listed(endpoint: Endpoint, who: str) -> list[dict[str, Any]]:
    """Return what the API lists."""
    return list(factories.api(who).get(f"/endpoints/{endpoint.pk}/predictions").json()["items"])


class TestComingIn:
    def test_lines_become_predictions_that_can_be_read(
        self, world: World, node: SimulatedNode, endpoint: Endpoint
    ) -> None:
        revision = live(endpoint).pk
        first, second = line(revision), line(revision, "", inputs=None, outputs=None, rows=500)
        capture(node, endpoint, first, second)
        newest, oldest = listed(endpoint, factories.token_for(world.people["Otto"]))
        assert (oldest["id"], oldest["inputs"], oldest["outputs"]) == (
            first["id"],
            [{"age": 41}],
            [1],
        )
        assert (oldest["milliseconds"], oldest["rows"], oldest["revision"]) == (2.5, 1, revision)
        assert len(oldest["unit"]) == 32 and "u1" not in json.dumps(oldest)
        assert (newest["unit"], newest["inputs"], newest["rows"]) == (None, None, 500)

    def test_what_an_answer_cannot_say_is_left_out_of_it(
        self, world: World, node: SimulatedNode, endpoint: Endpoint
    ) -> None:
        deep, revision = "[" * 400 + "]" * 400, live(endpoint).pk  # Python 3.11 reads no thousand
        unsayable = ["[1e400]", r'["\ud800"]', r'[{"\ud800":1}]', "[[[-1e999]]]"]
        capture(node, endpoint, *(line(revision, outputs=text) for text in unsayable))
        capture(node, endpoint, line(revision, inputs=unsayable[1], outputs=r'["\u0000"]'))
        capture(node, endpoint, line(revision, outputs=deep))
        found = listed(endpoint, factories.token_for(world.people["Otto"]))
        assert found[0]["inputs"] == [{"age": 41}] and found[0]["outputs"] is not None
        assert (found[1]["inputs"], found[1]["outputs"]) == (None, ["\0"])
        assert [(row["inputs"], row["outputs"]) for row in found[2:]] == [([{"age": 41}], None)] * 4
        page = factories.browser(world.people["Otto"]).get(f"/endpoints/{endpoint.pk}/predictions/")
        assert page.status_code == 200

    def test_each_byte_counts_once(self, node: SimulatedNode, endpoint: Endpoint) -> None:
        revision = live(endpoint).pk
        one, two, three = (text(line(revision)) for _ in range(3))
        end = len(one + two)
        assert send(node, revision, one + two) == (201, end)
        assert send(node, revision, one + two) == (409, end)  # the reply was lost
        assert send(node, revision, two + three, len(one)) == (409, end)  # an overlap
        assert send(node, revision, three, end + 5) == (409, end)  # a gap
        assert send(node, revision, three, end) == (201, end + len(three))
        assert actions.store_captures() == 3
        assert actions.store_captures() == 0
        assert CapturedPrediction.objects.count() == 3
        ranges = CaptureRange.objects.order_by("start").values_list("start", "end", "packed")
        assert list(ranges) == [(0, end, None), (end, end + len(three), None)]

    def test_a_prediction_that_comes_in_two_files_is_one(
        self, node: SimulatedNode, endpoint: Endpoint
    ) -> None:
        twice = line(live(endpoint).pk)
        capture(node, endpoint, twice, twice)
        capture(node, endpoint, twice)
        assert CapturedPrediction.objects.count() == 1

    def test_cut_and_broken_bodies_are_refused_whole(
        self, node: SimulatedNode, endpoint: Endpoint
    ) -> None:
        revision = live(endpoint).pk
        whole = text(line(revision))
        assert send(node, revision, whole[:-1])[0] == 400
        assert send(node, revision, b"")[0] == 400
        path = f"/agent/v1/captures?revision={revision}&file={FILE}&offset=0"
        assert node.call("POST", path, whole).status_code == 400
        assert node.call("POST", path, zlib.compress(bytes(2 << 20))).status_code == 400
        assert node.call("POST", path.replace(FILE, "../x"), whole).status_code == 400
        assert send(node, revision, whole) == (201, len(whole))

    def test_lines_that_are_no_prediction_are_counted_and_left_out(
        self, node: SimulatedNode, endpoint: Endpoint
    ) -> None:
        revision = live(endpoint).pk
        good = line(revision, dropped=4)
        bad = [
            line("rev_other"),
            line(revision, id="x"),
            line(revision, ago=-3600),
            line(revision, ago=8 * 86_400),
            line(revision, ms=-1),
            line(revision, rows=0),
            line(revision, "x" * 200),
            line(revision, inputs="{"),
            line(revision, outputs="1"),
            line(revision, inputs="[" + " " * 20_000 + "]"),
            {"v": 1},
            [],
        ]
        raw = text(*bad, good) + b'not json\n{"ms": NaN}\n'  # type: ignore[arg-type]
        assert send(node, revision, raw)[0] == 201
        assert actions.store_captures() == 1
        row = CaptureRange.objects.get()
        assert (row.unreadable, row.dropped) == (len(bad) + 2, 4)

    def test_an_id_outside_the_share_is_not_believed(self, story: Story) -> None:
        endpoint = released(story, percent=0.01).endpoint
        capture(story.node, endpoint, *(line(live(endpoint).pk) for _ in range(5)))
        assert CapturedPrediction.objects.count() == 0
        assert CaptureRange.objects.get().unreadable == 5

    def test_a_node_brings_only_what_its_own_services_wrote(
        self, world: World, node: SimulatedNode, endpoint: Endpoint
    ) -> None:
        revision = live(endpoint).pk
        world.target.pk, world.target.name = "tgt_other", "other"
        world.target.save(force_insert=True)
        stranger = SimulatedNode.joined(world.target)
        assert send(stranger, revision, text(line(revision)))[0] == 404
        forged = SimulatedNode(key=stranger.key, id=node.id)
        assert (
            forged.call(
                "POST", f"/agent/v1/captures?revision={revision}&file={FILE}&offset=0", b"x"
            ).status_code
            == 401
        )
        assert send(node, "rev_nothing", text(line(revision)))[0] == 404

    def test_a_revision_that_was_not_approved_to_capture_brings_nothing(self, story: Story) -> None:
        release = story.live()
        revision = live(release.endpoint).pk
        assert send(story.node, revision, text(line(revision)))[0] == 404


class TestWhoMayRead:
    def test_inputs_are_not_for_everybody_who_sees_the_endpoint(
        self, world: World, node: SimulatedNode, endpoint: Endpoint
    ) -> None:
        capture(node, endpoint, line(live(endpoint).pk))
        assert queries.captured_predictions(endpoint, world.rex).count() == 1
        with pytest.raises(Forbidden):
            queries.captured_predictions(endpoint, world.ada)
        with pytest.raises(NotFound):
            sam = factories.actor_of(factories.person("Sam"))
            queries.captured_predictions(endpoint, sam)

    def test_a_long_list_is_read_in_pages(
        self, world: World, node: SimulatedNode, endpoint: Endpoint
    ) -> None:
        lines = [line(live(endpoint).pk) for _ in range(5)]
        capture(node, endpoint, *lines[:3])
        capture(node, endpoint, *lines[3:])
        client = factories.api(factories.token_for(world.people["Rex"]))
        path, found = f"/endpoints/{endpoint.pk}/predictions?limit=2", []
        while path:
            body = client.get(path).json()
            found += body["items"]
            cursor = body["next_cursor"]
            path = cursor and f"/endpoints/{endpoint.pk}/predictions?limit=2&cursor={cursor}"
        assert {item["id"] for item in found} == {item["id"] for item in lines}
        assert all(item["inputs"] == [{"age": 41}] for item in found)


class TestFiles:
    def test_small_files_are_written_anew_and_the_old_ones_go(
        self, node: SimulatedNode, endpoint: Endpoint
    ) -> None:
        capture(node, endpoint, line(live(endpoint).pk))
        before = CapturePart.objects.get().sha256
        capture(node, endpoint, line(live(endpoint).pk))
        part = CapturePart.objects.get()
        assert part.rows == 2
        assert (store().exists(part.sha256), store().exists(before)) == (True, False)

    def test_a_day_and_a_revision_have_files_of_their_own(
        self, node: SimulatedNode, endpoint: Endpoint
    ) -> None:
        revision = live(endpoint).pk
        capture(node, endpoint, line(revision), line(revision, ago=3 * 86_400))
        days = CapturePart.objects.order_by("day").values_list("day", "keep_until")
        assert [(kept - day).days for day, kept in days] == [7, 7]
        assert days[0][0] == days[1][0] - timedelta(days=3)

    def test_what_is_past_its_time_is_deleted(
        self, node: SimulatedNode, endpoint: Endpoint
    ) -> None:
        revision = live(endpoint).pk
        capture(node, endpoint, line(revision), line(revision, ago=3 * 86_400))
        old = CapturePart.objects.order_by("day")[0]
        CapturePart.objects.filter(pk=old.pk).update(keep_until=now().date() - timedelta(days=1))
        assert actions.forget_captures() == 1
        assert not store().exists(old.sha256)
        assert CapturedPrediction.objects.count() == CapturePart.objects.count() == 1
        assert actions.forget_captures() == 0

    def test_the_collector_leaves_them(self, node: SimulatedNode, endpoint: Endpoint) -> None:
        capture(node, endpoint, line(live(endpoint).pk))
        part = CapturePart.objects.get()
        assert queries.captures.blobs_needed([part.sha256, "0" * 64]) == {part.sha256}


class TestErasing:
    def test_a_unit_is_gone_from_the_index_and_from_the_files(
        self, story: Story, endpoint: Endpoint
    ) -> None:
        revision = live(endpoint).pk
        kept = line(revision, "u2")
        capture(story.node, endpoint, line(revision, "u1"), kept, line(revision, "u1", ago=86_400))
        before = set(CapturePart.objects.values_list("sha256", flat=True))
        erasure = actions.erase_unit(endpoint, unit="u1", actor=story.otto)
        story.run_jobs("control")
        erasure.refresh_from_db()
        assert erasure.done_at is not None and erasure.erased == 2
        (left,) = CapturedPrediction.objects.all()
        assert str(left.prediction) == kept["id"]
        parts = list(CapturePart.objects.values_list("sha256", flat=True))
        assert set(parquet.find(parts, [kept["id"]])) == {kept["id"]}
        assert not any(store().exists(digest) for digest in before - set(parts))
        assert actions.carry_out(erasure.pk) == 2  # a repeat is harmless

    def test_the_log_says_who_and_where_but_not_of_whom(
        self, story: Story, endpoint: Endpoint
    ) -> None:
        capture(story.node, endpoint, line(live(endpoint).pk, "ada@example.com"))
        erasure = actions.erase_unit(endpoint, unit="ada@example.com", actor=story.otto)
        story.run_jobs("control")
        rows = list(Event.objects.filter(subject=erasure.pk).order_by("index"))
        assert [row.kind for row in rows] == ["erasure.requested.v1", "erasure.done.v1"]
        assert rows[0].actor_id == story.otto.id
        assert not any("ada@" in row.body or erasure.unit in row.body for row in rows)

    def test_what_comes_later_of_the_time_before_is_not_stored(
        self, story: Story, endpoint: Endpoint
    ) -> None:
        revision = live(endpoint).pk
        late, other = line(revision, "u1"), line(revision, "u2")
        ahead = line(revision, "u1", ago=-540)  # by a clock that is
        assert send(story.node, revision, text(late, ahead))[0] == 201  # and not stored yet
        actions.erase_unit(endpoint, unit="u1", actor=story.otto)
        actions.erase_unit(endpoint, unit="u1", actor=story.otto)
        story.run_jobs("control")
        actions.store_captures()
        capture(story.node, endpoint, other, line(revision, "u1", ago=2))
        capture(story.node, endpoint, line(revision, "u1", ago=-540))
        with time_machine.travel(now() + timedelta(minutes=11)):
            after = line(revision, "u1", ago=5)
            capture(story.node, endpoint, line(revision, "u1", ago=90), after)
        found = {str(row.prediction) for row in CapturedPrediction.objects.all()}
        assert found == {other["id"], after["id"]}

    @pytest.mark.parametrize("read_first", [False, True])
    def test_a_file_that_was_written_anew_meanwhile_is_not_lost(
        self,
        world: World,
        node: SimulatedNode,
        endpoint: Endpoint,
        monkeypatch: pytest.MonkeyPatch,
        read_first: bool,
    ) -> None:
        capture(node, endpoint, line(live(endpoint).pk, "u1"))
        erasure = actions.erase_unit(endpoint, unit="u1", actor=world.otto)
        rewrite = parquet.without

        def slow(digest: str, unit: str) -> str:
            monkeypatch.setattr(parquet, "without", rewrite)
            fresh.append(rewrite(digest, unit) if read_first else "")
            capture(node, endpoint, line(live(endpoint).pk, "u2"))
            return fresh[0] or rewrite(digest, unit)

        fresh: list[str] = []
        monkeypatch.setattr(parquet, "without", slow)
        with pytest.raises(actions.erasing.CaptureMoved):
            actions.carry_out(erasure.pk)
        assert not (read_first and store().exists(fresh[0]))
        assert actions.carry_out(erasure.pk) == 1
        (left,) = CapturedPrediction.objects.all()
        assert queries.contents([left])[left.pk].prediction == str(left.prediction)

    def test_what_a_restore_did_not_bring_back_holds_nothing_up(
        self, story: Story, endpoint: Endpoint
    ) -> None:
        capture(story.node, endpoint, line(live(endpoint).pk, "u1"))
        store().delete(CapturePart.objects.get().sha256)
        client = factories.api(factories.token_for(story.people["Rex"]))
        (shown,) = client.get(f"/endpoints/{endpoint.pk}/predictions").json()["items"]
        assert (shown["inputs"], shown["rows"]) == (None, None)
        capture(story.node, endpoint, line(live(endpoint).pk, "u2"))
        assert actions.erase_unit(endpoint, unit="u1", actor=story.otto).erased == 0
        story.run_jobs("control")
        assert Erasure.objects.get().erased == 1
        (left,) = CapturedPrediction.objects.all()
        assert left.pk in queries.contents([left])

    def test_only_an_operator_erases(self, world: World, endpoint: Endpoint) -> None:
        for who in (world.ada, world.rex, world.vera):
            with pytest.raises(Forbidden):
                actions.erase_unit(endpoint, unit="u1", actor=who)
        for unit in ("", "x" * 129, "gr\u00fcn"):
            with pytest.raises(InvalidInput) as refusal:
                actions.erase_unit(endpoint, unit=unit, actor=SYSTEM)
            assert refusal.value.errors[0].pointer == "/unit"
        assert not Erasure.objects.exists()


class TestWhatIsMissing:
    def test_a_killed_service_is_seen_in_the_figures(
        self, story: Story, endpoint: Endpoint
    ) -> None:
        revision = live(endpoint)
        count = {"status_2xx": 30, "status_3xx": 0, "status_4xx": 9, "status_5xx": 9}
        copies = count | {"status_2xx": 10, "latency": {"5": 10}}
        window = count | {
            "revision": revision.pk,
            "seconds": 10.0,
            "latency": {"5": 48},
            "started_at": rfc3339(now() - timedelta(seconds=300)),
            "apart": {"mirrored": copies},
        }
        assert story.node.report(metrics=[window]).status_code == 200
        story.run_jobs("control")
        capture(story.node, endpoint, *(line(revision.pk, ago=200) for _ in range(37)))
        answer = factories.api(factories.token_for(story.people["Ada"])).get(
            f"/endpoints/{endpoint.pk}/capture"
        )
        (row,) = answer.json()["items"]
        assert (row["captured"], row["expected"], row["missing"]) == (37, 40, 3)
        assert row["settings"] == {
            "percent": 100,
            "redact": ["personal"],
            "days": 7,
            "max_bytes": 16384,
        }

    def test_nothing_is_said_where_nothing_is_captured(self, story: Story) -> None:
        release = story.live()
        assert queries.captured_of(release.endpoint) == []

    def test_the_page_takes_few_queries_however_much_there_is(
        self, story: Story, endpoint: Endpoint
    ) -> None:
        capture(story.node, endpoint, *(line(live(endpoint).pk) for _ in range(30)))
        actions.erase_unit(endpoint, unit="u9", actor=story.otto)
        story.run_jobs("control")
        client = factories.browser(story.people["Otto"])
        with CaptureQueriesContext(connection) as counted:
            page = client.get(f"/endpoints/{endpoint.pk}/predictions/")
        assert page.status_code == 200
        assert len(counted) <= 12, [query["sql"][:90] for query in counted]


class TestDisagreements:
    def test_answers_to_one_request_are_joined_and_those_that_differ_are_listed(
        self, story: Story, endpoint: Endpoint
    ) -> None:
        old = live(endpoint)
        release = released(story)
        rollout = story.rollout(release)
        same, other, alone, large = (line(old.pk, ago=-1) for _ in range(4))
        large["outputs"] = None
        both = {"revision": rollout.to_revision_id}
        raw = text(same, other, alone, large)
        assert send(story.node, old.pk, raw)[0] == 201
        raw = text(same | both, other | both | {"outputs": "[2]"}, large | both)
        assert send(story.node, rollout.to_revision_id, raw)[0] == 201
        assert actions.store_captures() == 7
        client = factories.api(factories.token_for(story.people["Rex"]))
        body = client.get(f"/rollouts/{rollout.pk}/disagreements").json()
        assert (body["pairs"], body["disagreements"], body["share"]) == (2, 1, 0.5)
        (found,) = body["items"]
        assert (found["id"], found["stable"], found["candidate"]) == (other["id"], [1], [2])
        assert found["inputs"] == [{"age": 41}]
        page = factories.browser(story.people["Rex"]).get(f"/rollouts/{rollout.pk}/disagreements/")
        assert other["id"] in page.content.decode() and same["id"] not in page.content.decode()
        assert client.get(f"/rollouts/{rollout.pk}/disagreements?tolerance=nan").status_code == 400
        ada = factories.api(factories.token_for(story.people["Ada"]))
        assert ada.get(f"/rollouts/{rollout.pk}/disagreements").status_code == 403

    def test_without_pairs_nothing_is_said_to_agree(self, story: Story, endpoint: Endpoint) -> None:
        rollout = Rollout.objects.get(release=released(story))
        found = disagreements(rollout, story.rex)
        assert (found.pairs, found.share) == (0, None)
