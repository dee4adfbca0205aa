"""What the published document leaves out: the forms of pages and of sign-in, and the nodes' door.

Written as a document of its own, with bodies that get far, so that schemathesis can ask it.
"""

import json
from typing import Any

from tests.contract.asking import Asking
from tests.permissions.table import rows
from tests.support import captures

HANDLE = "cGVyXzA"  # "per_0", as a browser writes it
PASSKEY: dict[str, Any] = {
    "id": "AA",
    "rawId": "AA",
    "type": "public-key",
    "clientExtensionResults": {},
    "response": {
        "clientDataJSON": "e30",
        "authenticatorData": "AA",
        "signature": "AA",
        "userHandle": HANDLE,
        "attestationObject": "oA",
    },
}
SIGN_IN: dict[str, Any] = {
    "/accounts/login/": {"login": "ada@example.com", "password": "x", "next": "/"},
    "/accounts/logout/": {},
    "/accounts/reauthenticate/": {"password": "x", "next": "/"},
    "/accounts/password/change/": {"oldpassword": "x", "password1": "y", "password2": "y"},
    "/accounts/password/set/": {"password1": "y", "password2": "y"},
    "/accounts/password/reset/": {"email": "ada@example.com"},
    "/accounts/2fa/authenticate/": {"code": "123456"},
    "/accounts/2fa/reauthenticate/": {"code": "123456"},
    "/accounts/2fa/totp/activate/": {"code": "123456"},
    "/accounts/2fa/recovery-codes/generate/": {},
    "/accounts/2fa/webauthn/add/": {"name": "x", "credential": json.dumps(PASSKEY)},
    "/accounts/2fa/webauthn/login/": {"credential": json.dumps(PASSKEY)},
    "/accounts/2fa/webauthn/reauthenticate/": {"credential": json.dumps(PASSKEY)},
}
PLAIN, FORM = "application/json", "application/x-www-form-urlencoded"
NODES = "/agent/v1/"


def bodies(asking: Asking) -> dict[str, Any]:
    """Return a body for each route that takes one and is in no published document, by its label."""
    pages = [f"{row.method} {row.route}" for row in rows() if row.method == "POST"]
    found = {one: asking.world.bodies.get(one) or {} for one in pages if "/api/v1/" not in one}
    found |= {f"POST {path}": body for path, body in SIGN_IN.items()}
    found[f"POST {NODES}report"] = asking.node.report_body()
    found[f"POST {NODES}captures"] = captures.line("rev_" + "0" * 32)
    found["POST /witness/add-checkpoint"] = {"old": 0}
    return found


def document(found: dict[str, Any]) -> dict[str, Any]:
    """Return an OpenAPI document of these routes."""
    paths = {}
    for label, body in found.items():
        route = label.partition(" ")[2]
        kind = PLAIN if route.startswith((NODES, "/witness/")) else FORM
        names = [part[1:-1] for part in route.split("/") if part.startswith("{")]
        properties = {name: {"type": _type(value)} for name, value in body.items()}
        schema = {"type": "object", "properties": properties, "required": list(properties)}
        paths[route] = {
            "post": {
                "parameters": [
                    {"name": name, "in": "path", "required": True, "schema": {"type": "string"}}
                    for name in names
                ],
                "requestBody": {"content": {kind: {"schema": schema}}, "required": True},
                "responses": {"default": {"description": "Whatever is right"}},
            }
        }
    return {"openapi": "3.0.3", "info": {"title": "Pages", "version": "1"}, "paths": paths}


def query(label: str) -> dict[str, str]:
    """Return what a route reads of its query."""
    if label != f"POST {NODES}captures":
        return {}
    return {"revision": "rev_" + "0" * 32, "file": captures.FILE, "offset": "0"}


def _type(value: Any) -> str:
    kinds = {str: "string", bool: "boolean", int: "integer", float: "number", list: "array"}
    return kinds.get(type(value), "object")
