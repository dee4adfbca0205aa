"""A release that goes out step by step: what its clients and its operator do meanwhile.

It is tried out with copies and by testers, gets half of the requests, is analysed, and waits for a
person; the operator holds it there once, and then lets it go on.
"""

from dataclasses import dataclass

import httpx

from tests.crashes.path import Json, Stuck, Walk

PLAN: Json = {
    "strategy": "canary",
    "steps": [
        {"set_mirror": {"percent": 10}},
        {"set_header_route": {"header": "X-Try", "value": "new"}},
        {"set_weight": 50},
        {"pause": {"duration_seconds": 1}},
        {
            "analysis": {
                # shown by some dozen requests; the usual hundredth takes hundreds, and minutes
                "metrics": [{"metric": "error_rate", "margin": 0.2}],
                "minimum_requests": 20,
            }
        },
        {"pause": {}},
    ],
}
CALLS = 5  # between two looks at the rollout


@dataclass(slots=True)
class Steering:
    """One release that goes out by ``PLAN``."""

    walk: Walk
    url: str = ""

    def go_live(self) -> None:
        """Ask for the release, decide it, and see it through its steps."""
        self.walk.go_live(plan=PLAN, meanwhile=self.look_after)

    def look_after(self) -> None:
        """Call the endpoint, and do what the rollout wants of a person."""
        operator, release = self.walk.people["operator"], self.walk.release
        if not self.url:
            self.url = operator.do("GET", f"/endpoints/{release['endpoint_id']}")["url"]
        for _ in range(CALLS):
            self.call()
        for rollout in operator.do("GET", f"/rollouts?release={release['id']}")["items"]:
            if rollout["state"] == "waiting" and rollout["steps"][rollout["step"]] == {"pause": {}}:
                self.hold_or_go_on(rollout)

    def hold_or_go_on(self, rollout: Json) -> None:
        """Hold it, and once it is held let it go on."""
        verb, body = "pause", {"reason": "Tried"}
        if rollout["paused"]:
            verb, body = "resume", body | {"step": rollout["step"]}
        self.walk.people["operator"].do("POST", f"/rollouts/{rollout['id']}/{verb}", body)

    def call(self) -> None:
        """Predict; whatever dies of the platform, what serves goes on answering, and rightly."""
        body, expected = {"instances": self.walk.trained.rows}, self.walk.trained.facts["expected"]
        try:
            found = httpx.post(f"{self.url}/predict", json=body, timeout=30)
        except httpx.TransportError as error:  # which is no reason for patience here
            raise Stuck(f"a client got no answer: {error!r}") from error
        if found.status_code != 200 or found.json()["predictions"] != expected:
            raise Stuck(f"a client got {found.status_code} {found.text[:200]}")
