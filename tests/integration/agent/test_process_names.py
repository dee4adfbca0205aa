"""A replica names its processes as it likes, and is stopped all the same."""

from tests.integration.agent.conftest import NodeUnderTest
from tests.integration.agent.control import SERVER, Platform

NAMED = "import ctypes\nctypes.CDLL(None).prctl(15, b'\\xff\\xfe', 0, 0, 0)\n" + SERVER


def test_a_recalled_replica_whose_name_is_no_text_is_stopped(
    platform: Platform, node: NodeUnderTest
) -> None:
    bento = platform.build("one", server=NAMED)
    platform.serve(platform.revision(1, bento, weight=10_000))
    platform.wait_phase("rev_1", "serving")

    platform.recalled = [bento]
    platform.serve(platform.revision(1, bento, weight=10_000))

    platform.wait(lambda: not node.agent.replicas.all)
    platform.wait(lambda: platform.reports[-1]["recalled"] == [bento])
    assert "pass_failed" not in platform.errors()
