"""A download that is cut goes on, and half of one is never taken for a whole one."""

import os
from pathlib import Path
from typing import Any

import pytest

from placet_client import Client, Unreachable
from placet_client.transport import ATTEMPTS
from tests.support.cutting import Cutting, cutting

BODY = os.urandom(3_000_000)


def fetched(server: Cutting, to: Path, **more: Any) -> list[float]:
    """Download a file of a version; return the pauses that were made."""
    pauses = list[float]()
    with Client(server.url, "plc_secret", sleep=pauses.append) as client:
        size = client.versions.download("risk", "churn", 1, "model.bin", to, **more)
    assert size == len(server.body)
    return pauses


def test_one_that_is_cut_goes_on_where_it_was(tmp_path: Path) -> None:
    to, seen = tmp_path / "model.bin", list[tuple[int, int]]()
    with cutting(BODY, 1_000_000, 500_000) as server:
        pauses = fetched(server, to, progress=lambda *at: seen.append(at))
        asked = [*server.asked]
    assert to.read_bytes() == BODY
    assert asked[0] == (None, None)
    assert asked[1:] == [("bytes=1000000-", '"1"'), ("bytes=1500000-", '"1"')]
    assert len(pauses) == 2
    assert seen[-1] == (len(BODY), len(BODY))
    assert {whole for _, whole in seen} == {len(BODY)}


def test_one_goes_on_past_what_a_proxy_says_while_the_platform_starts(tmp_path: Path) -> None:
    to = tmp_path / "model.bin"
    with cutting(BODY, 1_000_000, -502, -504) as server:
        fetched(server, to)
    assert to.read_bytes() == BODY


def test_one_of_other_bytes_than_before_begins_anew(tmp_path: Path) -> None:
    to = tmp_path / "model.bin"
    with cutting(BODY, 1_000_000) as server:

        def change(*_: int) -> None:
            server.body, server.tag = BODY[::-1], '"2"'

        fetched(server, to, progress=change)
    assert to.read_bytes() == BODY[::-1]


def test_a_server_that_gives_no_rest_gives_all_of_it_again(tmp_path: Path) -> None:
    to = tmp_path / "model.bin"
    with cutting(BODY, 1_000_000) as server:
        server.ranges = False
        fetched(server, to)
    assert to.read_bytes() == BODY


@pytest.mark.parametrize(("tag", "times"), [('"1"', ATTEMPTS), ('W/"1"', 1), ("", 1)])
def test_half_of_one_is_none(tmp_path: Path, tag: str, times: int) -> None:
    with cutting(BODY, *[1_000_000] * 10) as server:
        server.ranges, server.tag = False, tag
        with pytest.raises(Unreachable):
            fetched(server, tmp_path / "model.bin")
        assert len(server.asked) == times
    assert list(tmp_path.iterdir()) == []
