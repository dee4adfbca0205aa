"""A whole platform is backed up, its machine lost, and restored; its node lived on elsewhere."""

import json
import shutil
import time
from pathlib import Path

import httpx
import pytest

from placet.demo.story import SCIENTIST, Story
from placet.embedded.postgres import Cluster
from tests.support.installation import Running, running, signed_in

pytestmark = pytest.mark.e2e


def lose_the_machine(placet: Running, node: Path) -> None:
    """Stop the platform and destroy all it had; only the node's own folder is another machine's."""
    assert placet.stop() == 0
    cluster = Cluster.at(placet.data)
    shutil.move(placet.data / "node", node)
    shutil.rmtree(cluster.home, ignore_errors=True)
    shutil.rmtree(placet.data)


def predicts(url: str, rows: list[object]) -> bool:
    try:
        return httpx.post(f"{url}/predict", json={"instances": rows}).status_code == 200
    except httpx.TransportError:
        return False


def test_endpoints_serve_again_and_nothing_ran_twice(tmp_path: Path) -> None:
    with running(tmp_path / "data") as placet:
        with signed_in(placet) as people, people["contributor"].client(SCIENTIST) as scientist:
            story = Story(placet.url, people, lambda line: None)
            story.policies()
            forest, rows = story.register(scientist, "forest")
            story.build(scientist, forest)
            live, _ = story.release(scientist, forest, "staging", ["reviewer"])
            url = story.predict(live, rows, forest)["url"]
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
        end = time.monotonic() + 90
        while not predicts(url, rows):
            assert time.monotonic() < end, "the endpoint does not answer"
            time.sleep(0.2)
        verified = placet.manage("audit", "verify", "--deep")
        assert "the log is intact" in verified.stdout, verified.stderr
        (state,) = placet.sql("SELECT epoch FROM serving_desiredstate")
        assert state["epoch"] == 2
        while not accepted(placet):
            assert time.monotonic() < end, "the node did not take the new epoch"
            time.sleep(0.2)
        counts = placet.sql("SELECT kind, count(*) AS n FROM audit_event GROUP BY kind")
        after = {row["kind"]: row["n"] for row in counts}
        work = [r for r in former if r["kind"].split(".")[0] in ("build", "rollout", "release")]
        assert work
        assert {r["kind"]: r["n"] for r in work} == {r["kind"]: after[r["kind"]] for r in work}


def accepted(placet: Running) -> bool:
    """Tell whether the node reports a state of the new epoch, with its revision serving."""
    (node,) = placet.sql("SELECT report FROM serving_node")
    return bool(node["report"]["applied"]["epoch"] == 2)
