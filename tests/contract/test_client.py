"""The SDK reaches every operation of the API, asks for it rightly, and reads its answer."""

import inspect
import json
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import pytest
import yaml
from django.test import Client as Browser

from placet_client import Client, nouns
from tests.contract.operations import SNAPSHOT, Operation, operations
from tests.permissions.world import World, build
from tests.support.factories import token_for

# What the SDK has no method for. It speaks with a token, and no token may do these things: they
# are a person's, in a browser (`test_what_has_no_method_is_refused_to_every_token` proves it).
FOR_PEOPLE_ALONE = {
    "break_glass_confirm",
    "break_glass_confirm_challenge",
    "break_glass_end",
    "break_glass_open",
    "break_glass_open_challenge",
    "break_glass_review",
    "decisions_challenge",
    "decisions_create",
    "decisions_withdraw",
    "passkeys_enrol",
    "passkeys_enrol_challenge",
    "passkeys_offer",
    "passkeys_offer_challenge",
    "passkeys_withdraw",
    "policies_challenge",
    "people_create",
    "people_deactivate",
    "people_erase",
    "people_end_sessions",
    "people_place",
    "people_reactivate",
    "people_setup_link",
    "people_update",
    "policies_publish",
    "recalls_lift",
    "roles_grant",
    "roles_revoke",
    "rollouts_ship",
    "second_factor_demands_add",
    "second_factor_demands_waive",
    "service_accounts_create",
    "service_accounts_deactivate",
    "team_members_add",
    "team_members_remove",
    "teams_create",
    "teams_delete",
    "tokens_issue",
}
DOCUMENT = yaml.safe_load(SNAPSHOT.read_text())
EVERY = {op.document["operationId"]: op for op in operations()}
NOT_OPERATIONS = {"send"}  # composed of others


@dataclass
class Api:
    """Answers what the document promises, and writes down what was asked."""

    asked: list[tuple[Operation, httpx.Request]] = field(default_factory=list)

    def __call__(self, request: httpx.Request) -> httpx.Response:
        """Answer with the smallest body that the operation's first success may have."""
        if request.method == "HEAD":
            return httpx.Response(200, headers={"ETag": '"1"'})
        op = operation_of(request)
        self.asked.append((op, request))
        status, answer = next((s, a) for s, a in op.document["responses"].items() if s[0] == "2")
        content = answer.get("content", {})
        if "application/json" not in content:
            return httpx.Response(int(status), content=b"bytes")
        return httpx.Response(int(status), json=example(content["application/json"]["schema"]))


def operation_of(request: httpx.Request) -> Operation:
    """Return the operation that a request is for; the most literal route wins."""
    path = request.url.raw_path.decode().partition("?")[0]
    found = [
        op
        for op in EVERY.values()
        if op.method == request.method and re.fullmatch(pattern(op.route), path)
    ]
    assert found, f"{request.method} {path} is no operation of the API"
    return min(found, key=lambda op: op.route.count("{"))


def pattern(route: str) -> str:
    """Return a route as a pattern; a file's path has slashes."""
    return re.sub(r"\{(\w+)\}", lambda m: "(.+)" if m[1] == "path" else "([^/]+)", route)


def resolved(schema: dict[str, Any]) -> dict[str, Any]:
    """Follow a reference."""
    while "$ref" in schema:
        schema = DOCUMENT["components"]["schemas"][schema["$ref"].rpartition("/")[2]]
    return schema


def example(schema: dict[str, Any]) -> Any:
    """Return a value that ``schema`` describes, with every member that it has."""
    schema = resolved(schema)
    for choice in ("oneOf", "anyOf", "allOf"):
        if choice in schema:
            return example(schema[choice][0])
    if "enum" in schema:
        return schema["enum"][0]
    kinds = schema.get("type", "null")
    kind = kinds if isinstance(kinds, str) else kinds[0]
    if kind == "array":
        return [example(schema["items"])]
    if kind == "object":
        return {name: example(member) for name, member in schema.get("properties", {}).items()}
    if schema.get("format") == "date-time":
        return "2026-01-02T03:04:05.678901Z"
    return {"string": "text", "integer": 7, "number": 0.5, "boolean": True, "null": None}[kind]


def methods() -> Iterator[tuple[str, str]]:
    """Yield every method of every noun."""
    with Client("http://x", "t") as client:
        for noun, found in vars(client).items():
            if isinstance(found, nouns.Noun):
                for name, _ in inspect.getmembers(found, inspect.ismethod):
                    if not name.startswith("_") and name not in NOT_OPERATIONS:
                        yield noun, name


def arguments(method: Callable[..., Any], folder: Path, *, whole: bool) -> dict[str, Any]:
    """Return a value for every parameter; for those that may be left out only if ``whole``."""
    signature = inspect.signature(method, eval_str=True)
    given: dict[str, Any] = {}
    for name, parameter in signature.parameters.items():
        if parameter.kind is parameter.VAR_KEYWORD:
            members = parameter.annotation.__args__[0].__annotations__
            given |= {member: ["text"] for member in members} if whole else {}
        elif parameter.default is parameter.empty or (whole and name not in ("progress", "limit")):
            given[name] = value(parameter.annotation, folder)
    return given


def value(annotation: Any, folder: Path) -> Any:
    """Return a value of a parameter's type."""
    text = str(annotation)
    if annotation is Path:
        return folder / "file"
    for known, sample in (
        ("Literal", "csv"),
        ("Mapping[str, bytes]", {"a.csv": b"x"}),
        ("bytes", b"x"),
        ("bool", True),
        ("int", 3),
        ("Sequence", ["text"]),
        ("Mapping", {"a": "b"}),
        ("dict", {"a": "b"}),
        ("Any", {"a": 1}),
    ):
        if known in text and "str |" not in text.replace("Mapping[str, str]", ""):
            return sample
    return "a text/with ?odd #parts%"


def call(noun: str, name: str, folder: Path, *, whole: bool) -> list[tuple[Operation, Any]]:
    """Call a method and read its answer to the end; return what was asked."""
    api = Api()
    with Client("http://x", "t", transport=httpx.MockTransport(api)) as client:
        method = getattr(getattr(client, noun), name)
        found = method(**arguments(method, folder, whole=whole))
        if isinstance(found, nouns.Listing):
            assert found.first() is not None
    return api.asked


@pytest.mark.parametrize(("noun", "name"), list(methods()))
@pytest.mark.parametrize("whole", [False, True])
def test_a_method_is_one_operation_and_sends_what_it_takes(
    noun: str, name: str, whole: bool, tmp_path: Path
) -> None:
    asked = call(noun, name, tmp_path, whole=whole)
    assert len(asked) == 1
    op, request = asked[0]
    assert set(request.url.params) <= op.names("query")
    headers = {header.lower() for header in op.names("header")}
    assert "if-match" not in headers or "If-Match" in request.headers
    if not op.takes_json:
        return
    kind = request.headers["Content-Type"].partition(";")[0]
    schema = resolved(op.document["requestBody"]["content"][kind]["schema"])
    is_form = kind == "multipart/form-data"
    sent = names_in(request.content) if is_form else json.loads(request.content)
    assert set(schema.get("required", [])) <= set(sent) <= set(schema["properties"])
    if whole:
        assert set(sent) == set(schema["properties"]), "the method cannot send all that may be"


def names_in(form: bytes) -> list[str]:
    """Return the fields of a form."""
    return [name.decode() for name in re.findall(rb'form-data; name="(\w+)"', form)]


def test_every_operation_has_a_method(tmp_path: Path) -> None:
    reached = {
        op.document["operationId"]
        for noun, name in methods()
        for whole in (False, True)
        for op, _ in call(noun, name, tmp_path, whole=whole)
    }
    missing = sorted(set(EVERY) - reached - FOR_PEOPLE_ALONE - {"whoami"})
    assert not missing, (
        f"{', '.join(missing)}: add a method to platform/placet_client/nouns (and its answer to "
        "platform/placet_client/records), so that the SDK has it too"
    )
    assert set(EVERY) >= FOR_PEOPLE_ALONE and not reached & FOR_PEOPLE_ALONE


def test_the_methods_know_every_filter_of_a_list(tmp_path: Path) -> None:
    short = []
    for noun, name in methods():
        for op, request in call(noun, name, tmp_path, whole=True):
            missing = op.names("query") - set(request.url.params) - {"cursor", "limit"}
            short += [f"{noun}.{name}: {missing}"] if missing else []
    assert not short


def test_whoami_is_read() -> None:
    with Client("http://x", "t", transport=httpx.MockTransport(Api())) as client:
        assert client.whoami().grants[0].permission == "text"


@pytest.mark.django_db
def test_what_has_no_method_is_refused_to_every_token() -> None:
    world = build()
    allowed = []
    for role, person in world.people.items():
        token = token_for(person)
        for name in sorted(FOR_PEOPLE_ALONE):
            op = EVERY[name]
            if refused(world, role, token, op) not in (403, 404):
                allowed.append(f"{role}: {op}")
    assert not allowed


def refused(world: World, role: str, token: str, op: Operation) -> int:
    """Ask as a token and return the status."""
    path, signed = world.path(op.route), {"Authorization": f"Bearer {token}"}
    tag = Browser().get(path, headers=signed).headers.get("ETag", "*")
    body = json.dumps(world.bodies.get(f"{op.method} {op.route}") or {})
    headers = signed | {"If-Match": tag}
    return int(
        Browser().generic(op.method, path, body, "application/json", headers=headers).status_code
    )
