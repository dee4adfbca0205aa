"""Serves what was accepted by a real agent, HAProxy and sandboxed replica, and calls it."""

import json
from dataclasses import replace
from typing import Any

import httpx

from placet_protocol.state import endpoint_path
from placet_verify.units import WHOLE
from tests.integration.agent.conftest import NodeUnderTest
from tests.integration.agent.control import Platform
from tests.properties.acceptance.sides import Wish
from tests.support.permits import Case


def serve(platform: Platform, node: NodeUnderTest, wish: Wish, number: int) -> None:
    """Serve two revisions of one endpoint, both as approved, and ask each what it was told."""
    names, endpoint = wish.names, f"end_{number}"
    project = f"p{number}-{names['project']}"[:40].rstrip("-")  # one address is one endpoint's
    path = endpoint_path(project, names["environment"], names["endpoint"])
    facts = {"src/placet.json": json.dumps({"variables": wish.declared})}
    bento = platform.build(f"bento {number}", **facts)
    live, tried = f"rev_{number}00", f"rev_{number}01"
    shown = {"replicas": 1, "memory_mb": wish.serving["memory_mb"]} | {
        "variables": wish.serving["variables"]
    }

    def revision(pk: str, **changes: Any) -> dict[str, Any]:
        release = pk.replace("rev", "rel")
        case = platform.case(
            bento,
            release,
            serving=wish.serving,
            endpoint=endpoint,
            environment=names["environment"],
        )
        policy = replace(case.policy, environment=names["environment"])
        permit = Case(policy, case.request, case.decisions).document(platform.keys["decision"])
        made = platform.revision(number, bento, permit=permit)
        return made | shown | {"id": pk, "release": release} | changes

    header = wish.header or {"header": "X-Try", "value": "v2"}
    platform.endpoints = [
        platform.endpoint(
            revision(live, weight=WHOLE - wish.weight, salt="5a17"),
            revision(
                tried,
                weight=wish.weight,
                salt="5a18",
                mirror=wish.mirror,
                guard=wish.guard,
                header_route=header,
            ),
            id=endpoint,
            project_slug=project,
            environment=names["environment"],
            name=names["endpoint"],
            path=path,
            stable=live,
        )
    ]
    platform.publish()
    for pk in (live, tried):
        platform.wait(lambda pk=pk: platform.seen(pk)["ready_replicas"] == 1, 60)
    platform.wait_phase(live, "serving", 60)
    address = f"http://127.0.0.1:{node.port}{path}/inside"
    platform.wait(lambda: httpx.get(address, timeout=20).status_code == 200, 60)
    answer = httpx.get(address, headers={header["header"]: header["value"]}, timeout=20)
    assert answer.headers["X-Placet-Revision"] == tried, wish
    answers = [answer, httpx.get(address, timeout=20)]
    for one in answers:
        told = one.json()["environment"]
        variables = wish.serving["variables"]
        assert {name: told.get(name) for name in variables} == variables
        assert ("PLACET_CAPTURE" in told) == ("capture" in wish.serving)
