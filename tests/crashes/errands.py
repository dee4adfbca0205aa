"""Small things that people do beside the path. Each may be done twice when its answer is lost."""

import secrets
import tempfile
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

from apps.operations.demo.people import DemoPerson
from apps.operations.demo.story import BASE, MODEL, STAGING_POLICY
from placet_protocol.cookies import CSRF
from tests.crashes.path import Broken, Json, Walk, ensure
from tests.support.signed_models import public_pem, signing_key

MODEL_PATH = f"{BASE}/models/{MODEL}"
PRODUCTION = f"{BASE}/environments/production"


def describe(walk: Walk) -> None:
    """Edit the model's description."""
    tag = walk.scientist.http.tag(MODEL_PATH)
    walk.scientist.request(
        "PATCH", MODEL_PATH, json={"description": f"Run {walk.name}"}, headers={"If-Match": tag}
    )


def tag(walk: Walk) -> None:
    """Add a tag to the version."""
    path = f"{walk.path}/tags"
    found = walk.scientist.http.tag(path)
    walk.scientist.request(
        "PUT", path, json={"tags": {"run": walk.name, "tried": "yes"}}, headers={"If-Match": found}
    )


def card(walk: Walk) -> None:
    """Write the model card."""
    path = f"{walk.path}/card"
    found = walk.scientist.http.tag(path)
    walk.scientist.request(
        "PUT", path, json={"card": f"# Run {walk.name}"}, headers={"If-Match": found}
    )


def alias(walk: Walk) -> None:
    """Set an alias, and take it away."""
    path = f"{MODEL_PATH}/aliases/tried"
    found = walk.scientist.http.tag(path, missing=True)
    headers = {"If-Match": found} if found else {"If-None-Match": "*"}
    walk.scientist.request("PUT", path, json={"version": walk.version["number"]}, headers=headers)
    walk.scientist.request("DELETE", path, headers={"If-Match": walk.scientist.http.tag(path)})


def comment(walk: Walk) -> None:
    """Comment on the newest release."""
    for release in walk.scientist.get(f"{BASE}/releases", limit=1)["items"]:
        _do(walk, "reviewer", f"/releases/{release['id']}/comments", {"text": "I saw it."})


def withdraw(walk: Walk) -> None:
    """Ask for production, and take the request back."""
    for asked in _ask(walk):
        walk.scientist.post(f"/releases/{asked['id']}/withdraw")


def reject(walk: Walk) -> None:
    """Ask for production, and be refused by a reviewer."""
    for asked in _ask(walk):
        verdict = {
            "verdict": "reject",
            "statement_digest": asked["request_digest"],
            "comment": "Not now.",
        }
        _do(walk, "reviewer", f"/releases/{asked['id']}/decisions", verdict)


def _ask(walk: Walk) -> list[Json]:
    """Ask to put the version that was released last into production, unless it is asked for."""
    asked = walk.scientist.get(f"{BASE}/releases", environment="production", state="requested")
    found = walk.scientist.get(f"{BASE}/releases", environment="staging", limit=1)["items"]
    body = {"model": MODEL, "environment": "production", "endpoint": MODEL, "reason": "Tried"}
    return asked["items"] or [
        walk.scientist.post(f"{BASE}/releases", {**body, "version": release["version"]})
        for release in found
    ]


def overstep(walk: Walk) -> None:
    """Try to freeze production without the right to."""
    answer = walk.people["contributor"].api("POST", f"{PRODUCTION}/freezes", {"reason": "Mine"})
    if answer.status_code != 403:
        raise Broken(f"it was answered with {answer.status_code}")


def freeze(walk: Walk) -> None:
    """Freeze production, and lift it."""
    made = _do(walk, "approver", f"{PRODUCTION}/freezes", {"reason": f"Run {walk.name}"})
    _do(walk, "approver", f"{PRODUCTION}/freezes/{made['id']}/lift")


def policy(walk: Walk) -> None:
    """Draft a policy, and take the draft back."""
    made = _do(walk, "operator", f"{PRODUCTION}/policies", {"source": STAGING_POLICY})
    _do(walk, "operator", f"{PRODUCTION}/policies/{made['number']}/withdraw")


def token(walk: Walk) -> None:
    """Make a token, and revoke it."""
    expires = (datetime.now(tz=UTC) + timedelta(days=1)).isoformat()
    body = {"name": "tried", "scopes": ["model.view"], "expires_at": expires}
    made = _do(walk, "auditor", "/tokens", body)
    _do(walk, "auditor", f"/tokens/{made['id']}/revoke")


def key(walk: Walk) -> None:
    """Give out a key to the endpoint, and revoke it."""
    operator = walk.people["operator"]
    for endpoint in operator.do("GET", f"{BASE}/environments/staging/endpoints")["items"]:
        made = _do(walk, "operator", f"/endpoints/{endpoint['id']}/keys", {"name": "tried"})
        _do(walk, "operator", f"/endpoints/{endpoint['id']}/keys/{made['id']}/revoke")


def signer(walk: Walk) -> None:
    """Trust a key that signs models, and revoke it."""
    body = {"label": f"k{secrets.token_hex(8)}", "pem": public_pem(signing_key())}
    made = _do(walk, "approver", f"{BASE}/signing-keys", body)
    _do(walk, "approver", f"{BASE}/signing-keys/{made['id']}/revoke")


def drop(walk: Walk) -> None:
    """Begin to upload to a draft, and give it up; put a file there, and remove it."""
    client = walk.scientist
    draft = client.post(f"{MODEL_PATH}/versions", {**walk.trained.facts, "tags": {}})
    path = f"{MODEL_PATH}/versions/{draft['number']}"
    big = {"path": "big.bin", "size": 10, "sha256": "0" * 64}
    upload = client.post(f"{path}/uploads", big)["upload"]
    address = f"/uploads/{upload['id']}"
    client.request("DELETE", address, headers={"If-Match": client.http.tag(address)})
    empty = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
    client.post(f"{path}/uploads", {"path": "empty.txt", "size": 0, "sha256": empty})
    file = f"{path}/files/empty.txt"
    client.request("DELETE", file, headers={"If-Match": client.http.tag(file)})


def cancel(walk: Walk) -> None:
    """Ask for a build of the version, and cancel it at once."""
    asked = walk.scientist.post(f"{walk.path}/builds")
    path = f"/builds/{asked['id']}"
    walk.scientist.post(f"{path}/cancel")
    ended = ("cancelled", "succeeded", "failed")
    ensure(lambda: walk.scientist.get(path)["state"] in ended, None, "the end of a cancelled build")


def visit(walk: Walk) -> None:
    """Sign in, authenticate again and sign out; once with a wrong password."""
    who = walk.placet.people["auditor"]
    for password in (who["password"], "not the password"):
        try:
            found = DemoPerson.sign_in(
                walk.placet.url,
                role="auditor",
                name=who["name"],
                email=who["email"],
                password=password,
            )
        except RuntimeError:
            continue
        with found:
            found.confirm()
            cookies = found.http.cookies
            found.http.post(
                "/accounts/logout/",
                headers={"Referer": walk.placet.url},
                data={"csrfmiddlewaretoken": cookies[CSRF]},
            )


def export(walk: Walk) -> None:
    """Export the audit events of a moment."""
    since = (datetime.now(tz=UTC) - timedelta(seconds=5)).isoformat()
    walk.people["auditor"].api("GET", f"/audit/export?since={since.replace('+00:00', 'Z')}")


def objective(walk: Walk) -> None:
    """Hold the endpoint to an objective, and to none again."""
    operator = walk.people["operator"]
    for endpoint in operator.do("GET", f"{BASE}/environments/staging/endpoints")["items"]:
        path = f"/endpoints/{endpoint['id']}/objective"
        before = operator.api("GET", path).headers.get("ETag", "")
        terms = {"availability": 0.5, "window_minutes": 60}
        operator.api("PUT", path, terms, {"If-Match": before} if before else None)
        operator.api("DELETE", path, None, {"If-Match": operator.api("GET", path).headers["ETag"]})


def backup(walk: Walk) -> None:
    """Back the installation up while it runs; what is killed leaves no manifest and is repeated."""
    with tempfile.TemporaryDirectory() as folder:
        said = walk.placet.manage("backup", f"{folder}/backup", "--artifacts", "check")
    if said.returncode:
        raise Broken(f"the backup ended with {said.returncode}: {said.stderr[-500:]}")


def _do(walk: Walk, role: str, path: str, body: Json | None = None) -> Json:
    return walk.people[role].do("POST", path, body)


ALL: dict[str, tuple[Callable[[Walk], None], tuple[str, ...]]] = {
    "describe": (describe, ("model.edited.v1",)),
    "tag": (tag, ("version.tagged.v1",)),
    "card": (card, ("version.card_changed.v1",)),
    "alias": (alias, ("alias.set.v1", "alias.deleted.v1")),
    "comment": (comment, ("release.commented.v1",)),
    "overstep": (overstep, ("access.denied.v1",)),
    "withdraw": (withdraw, ("release.withdrawn.v1",)),
    "reject": (reject, ("release.rejected.v1",)),
    "freeze": (freeze, ("freeze.set.v1", "freeze.lifted.v1")),
    "policy": (policy, ("policy.drafted.v1", "policy.withdrawn.v1")),
    "token": (token, ("token.issued.v1", "token.revoked.v1")),
    "key": (key, ("endpoint.key_issued.v1", "endpoint.key_revoked.v1")),
    "signer": (signer, ("signing_key.added.v1", "signing_key.revoked.v1")),
    "drop": (drop, ("upload.dropped.v1", "version.file_removed.v1")),
    "cancel": (cancel, ("build.cancel_asked.v1", "build.cancelled.v1")),
    "visit": (
        visit,
        ("session.opened.v1", "session.confirmed.v1", "session.closed.v1", "session.refused.v1"),
    ),
    "objective": (objective, ("objective.set.v1", "objective.removed.v1")),
    "backup": (backup, ("backup.begun.v1",)),
    "export": (export, ("audit.exported.v1",)),
}
OF_KIND = {kind: name for name, (_, kinds) in ALL.items() for kind in kinds}


def of_point(point: str, otherwise: str) -> str:
    """Return the errand on whose way ``point`` lies."""
    if point.startswith("backup."):
        return "backup"
    return OF_KIND.get(point.partition(".")[2], otherwise)


def run(name: str, walk: Walk) -> None:
    """Do an errand; when a process dies under it, do it again."""
    done: list[bool] = []

    def deed() -> None:
        ALL[name][0](walk)
        done.append(True)

    ensure(lambda: done, deed, f"the errand {name}")
