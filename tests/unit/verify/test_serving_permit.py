"""A permit says what a replica may reach, and lets nothing run that no node could keep apart."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from placet_verify.__main__ import main
from placet_verify.permit.permit import Permit, PermitRefused, permit
from tests.support.permits import NOON, Case, Keys, approvals, valid_case

KEYS = Keys()
SERVING: dict[str, Any] = {"replicas": 1, "memory_mb": 1024, "variables": {}}  # from before
OLDER = SERVING | {"variables": {"PATH": "/bin", "LEVEL": "a"}}


def approved(serving: dict[str, Any]) -> Case:
    """A release with this configuration, which two people have approved."""
    case = valid_case()
    request = replace(case.request, serving=serving)
    return replace(case, request=request, decisions=approvals(request))


def check(serving: dict[str, Any]) -> Permit:
    case = approved(serving)
    document = case.document(KEYS.decision)
    return permit(document, KEYS.ring, expect=case.expected(), starting_at=NOON)


@pytest.mark.parametrize(
    "serving", [SERVING, OLDER, SERVING | {"egress": []}, SERVING | {"egress": ["db.example:1"]}]
)
def test_what_people_approved_then_and_now_may_run(serving: dict[str, Any]) -> None:
    assert check(serving).request.serving == serving


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"egress": ["localhost:1"]}, "egress 1: localhost is the replica itself"),
        ({"egress": ["db.example"]}, "egress 1: write it as host:port"),
        ({"egress": [], "network": "host"}, "'network' is no member"),
        ({"egress": [], "variables": {"PATH": "/bin"}}, "'PATH': may never be set"),
        ({"egress": [], "variables": {"MODE\n": "x"}}, "a name has capital letters"),
    ],
)
def test_what_two_people_approved_is_refused_where_no_node_could_run_it(
    changed: dict[str, Any], said: str
) -> None:
    with pytest.raises(PermitRefused, match=said) as refused:
        check(SERVING | changed)
    assert refused.value.code == "serving"


@pytest.mark.parametrize(
    ("serving", "said"),
    [
        (SERVING, "network: older isolation: the host's network"),
        (SERVING | {"egress": []}, "network: may reach nothing"),
        (
            SERVING | {"egress": ["DB.example:5432", "[2001:db8::1]:443"]},
            "network: may reach: db.example:5432, [2001:db8::1]:443",
        ),
    ],
)
def test_the_verifier_says_what_a_replica_may_reach(
    serving: dict[str, Any], said: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "permit.json").write_text(approved(serving).document(KEYS.decision))
    (tmp_path / "keys.json").write_text(KEYS.document)
    (tmp_path / "root.pub").write_bytes(KEYS.root.public.to_pem())
    keys = ["--keys", str(tmp_path / "keys.json"), "--root", str(tmp_path / "root.pub")]
    assert main(["permit", str(tmp_path / "permit.json"), *keys]) == 0
    assert said in capsys.readouterr().out.splitlines()
