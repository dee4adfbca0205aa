"""A real agent stops what a signed recall names, signs that, and never runs it again."""

import json
from datetime import UTC, datetime
from typing import Any

from placet_verify import recalls
from placet_verify.signing.dsse import Envelope
from placet_verify.statements import RanReceipt, RecalledNames, RecallStatement, StoppedReceipt
from tests.integration.agent.conftest import NodeUnderTest
from tests.integration.agent.control import Platform


def recalled(platform: Platform, bento: str) -> tuple[RecallStatement, dict[str, Any]]:
    """Return a recall of ``bento`` and of its release, and its envelope."""
    statement = RecallStatement(
        recall="rcl_1",
        project="prj_1",
        kind="bento",
        what=bento,
        by="per_1",
        reason="",
        names=RecalledNames.of(bentos=[bento], releases=["rel_1"]),
        at=datetime.now(UTC),
    )
    return statement, statement.sign(platform.keys["decision"]).to_dict()


def receipts(platform: Platform) -> list[Any]:
    """Return what the node signed, each once, verified as the platform does."""
    assert platform.node_key is not None
    texts = dict.fromkeys(t for report in list(platform.reports) for t in report["receipts"])
    return [recalls.receipt(Envelope.from_json(t), platform.node_key, "nod_1") for t in texts]


def test_what_a_recall_names_stops_is_confirmed_and_comes_back_never(
    platform: Platform, node: NodeUnderTest
) -> None:
    bad = platform.revision(1, platform.build("bad"), weight=10_000)
    good = platform.revision(2, platform.build("good"), weight=0)
    platform.serve(bad, good)
    platform.wait_phase("rev_1", "serving")
    platform.wait_phase("rev_2", "ready")
    statement, envelope = recalled(platform, bad["bento_digest"])

    platform.endpoints = [platform.endpoint({**bad, "weight": 0}, {**good, "weight": 10_000})]
    platform.publish(recalls=[envelope])

    assert "recalled" in platform.wait_phase("rev_1", "refused")["detail"]
    platform.wait(lambda: len(receipts(platform)) == 2)
    ran, stopped = receipts(platform)
    assert isinstance(ran, RanReceipt) and isinstance(stopped, StoppedReceipt)
    assert (ran.revision, ran.bento_digest) == ("rev_1", bad["bento_digest"])
    assert (stopped.recall, stopped.recall_digest) == ("rcl_1", statement.digest)
    assert node.who() == "good"
    platform.wait(lambda: platform.reports[-1]["receipts"] == [])

    node.stop()
    node.start()  # as after a restart, with a state that says nothing of it any more
    platform.serve(bad, {**good, "weight": 0})
    again = platform.wait_phase("rev_1", "refused")
    assert "recalled" in again["detail"]
    kept = json.loads((node.home.folder / "recalls.json").read_text())
    assert len(kept) == 1
