"""States that somebody forges, and what a node says of each."""

import json
from datetime import timedelta
from pathlib import Path
from typing import Any

from apps.builds.models import Bento
from apps.governance.models import Release
from apps.serving.desired import endpoint_entry, sign_state
from apps.serving.models import DesiredState, Endpoint, Revision
from placet.kernel.clock import now, rfc3339
from placet.kernel.keystore import keys_document, ring
from placet_agent.state.data_dir import Home
from placet_agent.state.trust import Trust
from tests.support.world import World


def fetch_keys() -> dict[str, Any]:
    """Answer as the platform's ``GET keys`` does."""
    return {"v": 1, "root_public": ring().root.to_base64(), "keys": json.loads(keys_document())}


def trusting(world: World, folder: Path) -> Trust:
    """Return the verification that the agent of the target's node does, in a new ``folder``."""
    home = Home(folder)
    home.make()
    return Trust(home, world.target.pk, ring().root, fetch_keys)


def verdicts(trust: Trust, envelope: str) -> dict[str, str]:
    """Return, by Bento digest, what the node says of each revision ('' when it would run it)."""
    state = trust.open_state(envelope)
    answer = trust.judge(state)
    return {
        r.bento_digest: "" if answer[r.id].allowed else answer[r.id].reason
        for endpoint in state.endpoints
        for r in endpoint.revisions
    }


def signed_now(world: World) -> str:
    """Return the state that the control worker signs now."""
    sign_state(world.target.pk)
    return DesiredState.objects.get(target=world.target).envelope


def forged_state(world: World, live: Release, bento: Bento, permit: str) -> dict[str, Any]:
    """Return the content of a state in which ``bento`` takes the place of what is live."""
    endpoint: Any = Endpoint.objects.select_related("project").get(pk=live.endpoint_id)
    endpoint.valid_keys = []
    endpoint.present_revisions = list(
        Revision.objects.filter(endpoint=endpoint).select_related("bento__runtime")
    )
    entry = endpoint_entry(endpoint)
    entry["revisions"][0] |= {
        "bento_digest": bento.digest,
        "bento_sha256": bento.digest.removeprefix("sha256:"),
        "permit": permit,
    }
    return {
        "v": 1,
        "target": world.target.pk,
        "epoch": 9,
        "number": 1,
        "issued_at": rfc3339(now()),
        "valid_until": rfc3339(now() + timedelta(days=1)),
        "checkpoint": None,
        "on_expired": "serve",
        "recalled": [],
        "endpoints": [entry],
        "prefetch": [],
    }


def unapproved(world: World) -> Bento:
    """Return a Bento that nobody has approved."""
    return world.bento(world.version("unapproved"))
