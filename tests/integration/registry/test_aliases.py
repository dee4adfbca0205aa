"""Aliases that begin with ``live-``: they say what is live, so people set none."""

from apps.registry import actions
from apps.registry.models import Alias
from placet.kernel.actor import SYSTEM
from tests.integration.registry.helpers import Lab


def test_nobody_but_a_release_says_what_is_live(lab: Lab) -> None:
    lab.finalised(b"one")
    lab.finalised(b"two")
    address = f"{lab.address}/aliases/live-development"
    answer = lab.api.put(address, {"version": 1})
    assert (answer.status_code, answer.json()["errors"][0]["pointer"]) == (400, "/alias")
    assert not Alias.objects.exists()
    one = lab.model.versions.get(number=1)
    actions.set_alias(lab.model, name="live-development", version=one, actor=SYSTEM)
    tag = lab.api.get(address)["ETag"]
    assert lab.api.put(address, {"version": 2}, if_match=tag).status_code == 400
    assert lab.api.delete(address, if_match=tag).status_code == 204, "what is false can go"
