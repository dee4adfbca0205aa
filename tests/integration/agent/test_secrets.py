"""Secrets on a node: sealed on its disk, in the memory of its replicas, and nowhere else."""

import json
import stat
from pathlib import Path
from typing import Any

from placet_protocol.secret_box import OpeningKeys
from tests.integration.agent.conftest import NodeUnderTest
from tests.integration.agent.control import Platform
from tests.support.leaks import found_in

NAMED = {"DB_PASSWORD": "cancer/db", "api.token": "token"}
DB, TOKEN = "pa55 word/+ünïque-1", "t0ken-of-another-kind\nwith two lines"
FIRST, SECOND, THIRD = (f"sev_{digit * 32}" for digit in "123")


def with_secrets(platform: Platform, number: int = 1, **values: Any) -> dict[str, Any]:
    """Return a revision whose permit names two secrets, with these values in the state."""
    return platform.revision(
        number,
        platform.build(f"secret {number}"),
        weight=10_000,
        secrets_of_permit=NAMED,
        egress=[],
        secrets=values,
    )


def both(platform: Platform) -> dict[str, Any]:
    """Seal a value of each."""
    return {"db": platform.seal("db", FIRST, DB), "token": platform.seal("token", SECOND, TOKEN)}


def test_a_replica_finds_its_secrets_as_files_and_nothing_else_has_them(
    platform: Platform, node: NodeUnderTest
) -> None:
    platform.serve(with_secrets(platform, **both(platform)), stable="rev_1")
    platform.wait_phase("rev_1", "serving")
    found = node.get("/secrets").json()
    assert {name: file["text"] for name, file in found.items()} == {
        "DB_PASSWORD": DB,
        "api.token": TOKEN,
    }
    assert not any(file["can_write"] for file in found.values())
    assert platform.seen("rev_1")["secrets"] == [FIRST, SECOND]
    environment = node.get("/inside").json()["environment"]
    assert environment["PLACET_SECRETS"] == "/secrets"

    home = node.home.folder
    assert stat.S_IMODE((home / "secrets.key").stat().st_mode) == 0o600
    assert found_in(home, DB, *TOKEN.splitlines()) == []
    processes = [path for path in Path("/proc").glob("[0-9]*") if _is_ours(path)]
    assert processes
    for path in processes:
        told = (path / "cmdline").read_bytes() + (path / "environ").read_bytes()
        assert DB.encode() not in told
    reports = json.dumps(platform.reports, ensure_ascii=False) + json.dumps(environment)
    assert DB not in reports and TOKEN not in reports


def _is_ours(path: Path) -> bool:
    try:
        return b"rev_1-" in (path / "environ").read_bytes()
    except OSError:
        return False


def test_another_value_has_replicas_started_anew_without_a_release(
    platform: Platform, node: NodeUnderTest
) -> None:
    values = both(platform)
    revision = with_secrets(platform, **values)
    platform.serve(revision, stable="rev_1")
    platform.wait_phase("rev_1", "serving")
    rotated = {**values, "db": platform.seal("db", THIRD, "another")}
    held = platform.sealed.pop(THIRD)  # it is not there yet: what serves goes on
    platform.serve({**revision, "secrets": rotated}, stable="rev_1")
    platform.wait(lambda: any(path.endswith(THIRD) for path in platform.served))
    assert node.get("/secrets").json()["DB_PASSWORD"]["text"] == DB
    platform.sealed[THIRD] = held
    platform.wait(lambda: platform.seen("rev_1").get("secrets") == [SECOND, THIRD])
    assert node.get("/secrets").json()["DB_PASSWORD"]["text"] == "another"
    platform.wait(lambda: not (node.home.folder / "secrets" / FIRST).exists())
    assert platform.seen("rev_1")["restarts"] == 0


def test_replicas_are_started_with_their_secrets_while_the_platform_is_away(
    platform: Platform, node: NodeUnderTest
) -> None:
    platform.serve(with_secrets(platform, **both(platform)), stable="rev_1")
    platform.wait_phase("rev_1", "serving")
    node.stop()
    platform.down = True
    for replica in list(node.agent.replicas.all.values()):
        for ref in replica.refs:
            ref.signal(9)
    node.start()
    platform.wait(lambda: _answers(node))
    assert node.get("/secrets").json()["DB_PASSWORD"]["text"] == DB
    platform.down = False


def _answers(node: NodeUnderTest) -> bool:
    try:
        return node.get("/secrets").status_code == 200
    except Exception:
        return False


def test_what_has_no_value_or_was_sealed_for_somebody_else_does_not_start(
    platform: Platform, node: NodeUnderTest
) -> None:
    values = both(platform)
    platform.serve(with_secrets(platform, token=values["token"]), stable="rev_1")
    said = platform.wait_phase("rev_1", "failed")["detail"]
    assert said == "the secret db has no value: set it"

    place = "placet.node:nod_1:serving.secret:prj_2:production:db:" + FIRST  # another project's
    elsewhere = OpeningKeys.read((node.home.folder / "secrets.key").read_text()).public
    platform.sealed[FIRST] = elsewhere.seal(DB, place=place)
    platform.serve(with_secrets(platform, 2, **values), stable="rev_2")
    platform.wait(lambda: "does not open" in platform.seen("rev_2")["detail"])
    assert platform.seen("rev_2")["ready_replicas"] == 0
    assert not (node.home.folder / "secrets" / FIRST).exists()
