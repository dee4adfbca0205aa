"""One platform, from the first release to the loss of its machine.

It is started as a user starts it, but for a folder in which points are armed: a release goes live
while processes are killed at them. Then what the path left behind is looked at, what is not
approved refused, everything stopped and started again; last the machine is lost and restored.
"""

import json
import re
import shutil
import socket
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx
import pytest

from apps.operations.demo.story import BASE, MODEL, DemoStory, verifier
from placet.embedded.postgres import Cluster
from placet.kernel.ids import new_id
from placet_client import Client
from tests.crashes.campaign import Campaign, Outcome, campaign
from tests.support.cache import RUNTIMES
from tests.support.installation import Running, signed_in
from tests.support.processes import Process, descendants, until

pytestmark = pytest.mark.e2e
Json = dict[str, Any]
# A worker in the middle of a build and of a rollout, the node's agent between its files and
# HAProxy, a web process before and behind a commit. ``make prove`` goes through all points.
POINTS = (
    "before_commit.version.created.v1",
    "after_commit.release.decided.v1",
    "builds.after_scan",
    "builds.after_commit_success",
    "rollouts.before_command",
    "rollouts.after_store",
    "agent.after_rename.state.json",
    "agent.before_rename.route.map",
    "agent.after_haproxy_maps",
)


@dataclass
class Told:
    """What the path has made."""

    story: DemoStory
    scientist: Client
    forest: Json
    rows: list[Json]
    endpoint: Json

    def answer(self) -> httpx.Response:
        """Ask the endpoint for the rows of the forest's example."""
        return httpx.post(
            f"{self.endpoint['url']}/predict", json={"instances": self.rows}, timeout=30
        )

    def answers(self) -> bool:
        """Tell whether it serves at all."""
        try:
            return self.answer().status_code == 200
        except httpx.TransportError:
            return False


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Campaign]:
    """The platform, its people, and the points.

    The first lease of each dead worker runs out in its own time, the third of a minute.
    """
    folder = tmp_path_factory.mktemp("path")
    with campaign(folder, patient=True, runtimes=RUNTIMES) as found:
        yield found


@pytest.fixture(scope="module")
def placet(path: Campaign) -> Running:
    return path.placet


@pytest.fixture(scope="module")
def outcome(path: Campaign) -> Outcome:
    """A forest is registered, built, requested, approved and rolled out to staging."""
    return path.run(POINTS)


@pytest.fixture(scope="module")
def told(path: Campaign, outcome: Outcome) -> Told:
    """It is live there, and answers."""
    assert outcome.faults == [], "it did not go live"
    story = DemoStory(path.placet.url, path.people, lambda line: None)
    version = path.scientist.get(f"{BASE}/models/{MODEL}/versions/1")
    (build,) = path.scientist.get(f"{BASE}/models/{MODEL}/versions/1/builds")["items"]
    (live,) = path.scientist.get(f"{BASE}/releases", environment="staging")["items"]
    forest = {**version, "bento": build["bento_digest"], "expected": path.trained.facts["expected"]}
    endpoint = story.predict(live, path.trained.rows, forest)
    return Told(story, path.scientist, forest, path.trained.rows, endpoint)


def test_a_release_goes_live_whatever_is_killed_on_its_way(outcome: Outcome) -> None:
    assert outcome.faults == []
    assert outcome.hit == sorted(POINTS)


def test_the_log_of_the_path_verifies_on_the_server_and_away_from_it(
    placet: Running, told: Told
) -> None:
    said = placet.manage("audit", "verify", "--deep")
    assert said.returncode == 0, said.stdout + said.stderr
    assert "the log is intact" in said.stdout
    told.story.verify()
    assert told.story.result["audit"]["size"] > 30


def test_a_release_that_was_really_built_is_checked_by_an_outsider(
    placet: Running, told: Told, tmp_path: Path
) -> None:
    """With the root key, the bundle and the Bento's bytes, and nothing of the server."""
    release = told.answer().headers["x-placet-release"]
    auditor, file, bento = told.story.people["auditor"], tmp_path / "r.zip", tmp_path / "bento.tar"
    until(lambda: bundle_of(auditor, release, file), 120, "a checkpoint of the release")
    digest = told.forest["bento"].removeprefix("sha256:")
    [blob] = placet.data.glob(f"artifacts/**/{digest}")
    bento.write_bytes(blob.read_bytes())
    root = placet.data / "keys/root.pub"
    done = verifier("bundle", file, "--root", root, "--bento", bento)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "Bento: bento.tar is it, byte for byte" in done.stdout
    assert "bill of materials: the one that the build made" in done.stdout
    bento.write_bytes(blob.read_bytes()[:-1] + b"x")
    assert verifier("bundle", file, "--root", root, "--bento", bento).returncode == 1


def bundle_of(auditor: Any, release: str, file: Path) -> bool:
    """Download a release's bundle, if every event of it is signed by now."""
    answer = auditor.api("GET", f"/releases/{release}/bundle")
    file.write_bytes(answer.content)
    return bool(answer.status_code == 200)


def test_the_log_alone_rebuilds_every_row(placet: Running, told: Told) -> None:
    done = placet.rebuilt()
    assert done.returncode == 0, done.stderr
    assert int(done.stdout) > 30


def test_a_second_platform_on_the_same_data_is_refused_in_a_sentence(
    placet: Running, told: Told
) -> None:
    done = placet.manage("up")
    assert done.returncode == 1
    assert f"Placet already runs with the data in {placet.data}" in done.stderr
    assert "Traceback" not in done.stderr
    assert told.answer().status_code == 200


def test_an_unapproved_bento_written_into_the_tables_is_not_served(
    placet: Running, told: Told
) -> None:
    """Whoever has the application's database role writes a release, its decision and a live
    revision by hand; the node refuses it and what was approved goes on answering."""
    boosting, _ = told.story.register(told.scientist, "boosting")
    told.story.build(told.scientist, boosting)
    before = told.answer().headers["x-placet-release"]
    forged = forge(placet, told.endpoint["id"], boosting["bento"])
    try:
        refused: list[Json] = []

        def seen() -> bool:
            reports = placet.sql("SELECT report FROM serving_node")
            rows = [r for row in reports for r in row["report"].get("revisions", [])]
            refused[:] = [r for r in rows if r["id"] == forged]
            return bool(refused) and refused[0]["phase"] == "refused"

        until(seen, 120, "the refusal of the revision")
        assert "permit" in refused[0]["detail"]
        assert refused[0]["ready_replicas"] == refused[0]["weight"] == 0
        for _ in range(20):
            answer = told.answer()
            assert answer.status_code == 200
            assert answer.headers["x-placet-release"] == before
        assert answer.json()["predictions"] == told.forest["expected"]
        assert [p for p in ours(placet) if forged in p.environment] == []
    finally:
        take_back(placet, forged)


def test_five_percent_of_a_thousand_requests_are_fifty(placet: Running, told: Told) -> None:
    """The forest goes out once more, by canary: counted at the stable port of a real HAProxy."""
    people = told.story.people
    live = told.answer().headers["x-placet-release"]
    asked = told.scientist.post(
        f"{BASE}/releases",
        {
            "model": MODEL,
            "version": told.forest["number"],
            "environment": "staging",
            "endpoint": MODEL,
            "plan": {
                "strategy": "canary",
                "steps": [{"set_weight": 5}, {"pause": {}}],
            },
        },
    )
    told.story.requester_is_refused(asked)
    people["reviewer"].decide(asked, "Once more.")

    def rollout() -> Json:
        found = people["operator"].do("GET", f"/rollouts?release={asked['id']}")["items"]
        return dict(found[0]) if found else {"state": ""}

    until(lambda: rollout()["state"] == "waiting", 120, "the canary's first step")
    with httpx.Client(timeout=30) as client:
        url, row = f"{told.endpoint['url']}/predict", told.rows[0]
        answers = [client.post(url, json=row) for _ in range(1000)]
    assert {a.status_code for a in answers} == {200}
    assert Counter(a.headers["x-placet-release"] for a in answers) == {live: 950, asked["id"]: 50}

    path = f"/rollouts/{rollout()['id']}"
    shown = {"reason": "It answers alike.", "step": rollout()["step"]}
    people["operator"].do("POST", f"{path}/promote", shown)
    until(lambda: rollout()["state"] == "done", 120, "the end of the rollout")
    assert {told.answer().headers["x-placet-release"] for _ in range(20)} == {asked["id"]}


def test_ctrl_c_ends_all_of_it_and_a_second_start_finds_everything_as_it_was(
    placet: Running, told: Told
) -> None:
    before, running = told.answer(), ours(placet)
    assert {"haproxy", "postgres", "valkey-server", "bwrap"} <= {p.name for p in running}
    assert placet.stop() == 0
    assert [p for p in running if p.alive] == []
    assert [p for p in ours(placet) if p.alive] == []
    for url in (placet.url, placet.endpoint_url):
        with socket.socket() as probe:
            assert probe.connect_ex(("127.0.0.1", urlsplit(url).port or 0)) != 0

    placet.start()
    assert placet.setup_link == ""
    until(told.answers, 120, "an answer of the endpoint")
    after = told.answer()
    assert after.headers["x-placet-release"] == before.headers["x-placet-release"]
    assert after.json() == before.json()
    assert told.story.people["reviewer"].api("GET", "/projects").status_code == 200
    with signed_in(placet):  # raises for anybody who cannot
        pass
    assert placet.manage("audit", "verify").returncode == 0


def test_on_a_new_machine_endpoints_serve_again_and_nothing_ran_twice(
    placet: Running, told: Told, tmp_path: Path
) -> None:
    """The node is another machine's and lives on."""
    backup, keys, node = tmp_path / "backup", tmp_path / "keys", tmp_path / "node"
    said = placet.manage("backup", str(backup), "--keys", str(keys))
    assert said.returncode == 0, said.stderr
    manifest = json.loads((backup / "manifest.json").read_text())
    former = placet.sql("SELECT kind, count(*) AS n FROM audit_event GROUP BY kind")
    lose_the_machine(placet, node)

    restored = placet.manage("restore", str(backup), "--keys", str(keys))
    assert restored.returncode == 0, restored.stderr
    assert manifest["root"] in restored.stdout
    shutil.move(node, placet.data / "node")
    placet.start()
    until(told.answers, 90, "an answer of the endpoint")
    verified = placet.manage("audit", "verify", "--deep")
    assert "the log is intact" in verified.stdout, verified.stderr
    (state,) = placet.sql("SELECT epoch FROM serving_desiredstate")
    assert state["epoch"] == 2
    until(lambda: accepted(placet), 90, "the node's new epoch")
    counts = placet.sql("SELECT kind, count(*) AS n FROM audit_event GROUP BY kind")
    after = {row["kind"]: row["n"] for row in counts}
    work = [r for r in former if r["kind"].split(".")[0] in ("build", "rollout", "release")]
    assert work
    assert {r["kind"]: r["n"] for r in work} == {r["kind"]: after[r["kind"]] for r in work}


def lose_the_machine(placet: Running, node: Path) -> None:
    """Stop the platform and destroy all it had; only the node's own folder is another machine's."""
    assert placet.stop() == 0
    cluster = Cluster.at(placet.data)
    shutil.move(placet.data / "node", node)
    shutil.rmtree(cluster.home, ignore_errors=True)
    shutil.rmtree(placet.data)


def accepted(placet: Running) -> bool:
    """Tell whether the node reports a state of the new epoch, with its revision serving."""
    (node,) = placet.sql("SELECT report FROM serving_node")
    return bool(node["report"]["applied"]["epoch"] == 2)


def copy(placet: Running, table: str, pk: str, **changes: Any) -> str:
    """Insert a copy of a row with another id and ``changes``; return the id."""
    new = new_id(pk.split("_")[0])
    placet.sql(
        f"INSERT INTO {table} SELECT (jsonb_populate_record(t, %s::jsonb)).* FROM {table} t"
        " WHERE id = %s",
        json.dumps(changes | {"id": new}),
        pk,
    )
    return new


def forge(placet: Running, endpoint: str, bento: str) -> str:
    """Write by hand what an approval would have written, and have it signed; return its id."""
    (live,) = placet.sql(
        "SELECT id, release FROM serving_revision WHERE endpoint_id = %s AND state = 'live'",
        endpoint,
    )
    (decision,) = placet.sql(
        "SELECT id FROM governance_decision WHERE release_id = %s", live["release"]
    )
    placet.sql("UPDATE governance_release SET state = 'superseded' WHERE id = %s", live["release"])
    release = copy(
        placet, "governance_release", live["release"], number=9999, bento_id=bento, state="live"
    )
    copy(placet, "governance_decision", decision["id"], release_id=release)
    placet.sql("UPDATE serving_revision SET state = 'warm', weight = 0 WHERE id = %s", live["id"])
    forged = copy(
        placet,
        "serving_revision",
        live["id"],
        number=9999,
        bento_id=bento,
        release=release,
        state="live",
        weight=10_000,
    )
    sign(placet)
    return forged


def take_back(placet: Running, forged: str) -> None:
    """Leave the tables as they were."""
    (row,) = placet.sql("SELECT endpoint_id, release FROM serving_revision WHERE id = %s", forged)
    placet.sql("DELETE FROM serving_revision WHERE id = %s", forged)
    placet.sql("DELETE FROM governance_decision WHERE release_id = %s", row["release"])
    placet.sql("DELETE FROM governance_release WHERE id = %s", row["release"])
    placet.sql(
        "UPDATE serving_revision SET state = 'live', weight = 10000"
        " WHERE endpoint_id = %s AND state = 'warm'",
        row["endpoint_id"],
    )
    placet.sql(
        "UPDATE governance_release SET state = 'live' WHERE endpoint_id = %s"
        " AND state = 'superseded'",
        row["endpoint_id"],
    )
    sign(placet)


def sign(placet: Running) -> None:
    """Have the control worker sign what the tables say now."""
    placet.sql(
        "INSERT INTO jobs_job (id, kind, queue, args, key, state, generation, lease_owner,"
        " attempts, losses, max_attempts, due_at, cancel_requested, error, request_id, created_at)"
        " SELECT %s, 'serving.publish', 'control', jsonb_build_object('target', id), id, 'queued',"
        " 0, '', 0, 0, 0, now(), false, '', '', now() FROM serving_target"
        " ON CONFLICT DO NOTHING",
        new_id("job"),
    )


def ours(placet: Running) -> list[Process]:
    """Everything that names our data or our database, and all that it has started."""
    home = json.loads((placet.data / "postgres.json").read_text())["home"]
    return descendants(re.compile("|".join(map(re.escape, (str(placet.data), home)))))
