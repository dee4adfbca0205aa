"""Odd text in a form or an address is refused in words; no page breaks over it."""

import pytest
from django.test import Client

from apps.assurance.actions import place_hold
from apps.integrations.actions import add_stream, add_webhook
from apps.integrations.rules import StreamTerms, WebhookTerms
from placet.kernel.actor import SYSTEM
from tests.support import break_glass, factories
from tests.support.factories import browser
from tests.support.world import World

pytestmark = pytest.mark.django_db
ODD = {
    "nothing": "",
    "far too long": "x" * 30_000,
    "a null byte": "a\x00b",
    "control characters": "\x1b[31m\r\n\x7f",
    "right to left": "\u202ecte\u2066",
    "a number too large": "9" * 30,
    "no number": "-1e9",
    "a digit that makes no number": "\u00b2",
    "the last day that there is": "9999-12-31",
    "the first day that there is": "0001-01-01",
}


def forms(world: World) -> dict[str, list[str]]:
    """Every form of the pages with its fields."""
    world.policy("staging", break_glass.POLICY + break_glass.SAID)
    glass = break_glass.opened(world, world.request("staging", endpoint="urgent"))
    release = world.request("staging")
    live = world.live("development", bento=world.bento(world.version("other")))
    version = f"/models/risk/churn/{release.version.number}"
    stream = add_stream(
        name="siem", terms=StreamTerms("jsonl", "https://siem.example"), actor=SYSTEM
    )
    hook = add_webhook(
        name="hook", terms=WebhookTerms("https://hooks.example/in"), actor=SYSTEM
    ).webhook
    hold = place_hold(name="case-1", scope="everything", reason="x", actor=SYSTEM)
    return {
        "/models/new": ["project", "name", "description"],
        f"{version}/alias": ["alias"],
        f"{version}/card": ["card"],
        f"{version}/tags": ["tags"],
        f"{version}/people/declare": ["fact", "about", "person"],
        "/releases/request": ["version", "environment", "endpoint", "bento", "replicas", "reason"],
        f"/releases/{release.pk}/decide": ["verdict", "statement_digest", "comment", "replaces"],
        f"/releases/{release.pk}/changes/withdraw": ["replaces"],
        f"/releases/{release.pk}/comment": ["comment"],
        "/notifications/save": ["review"],
        "/notifications/project": ["project", "kind", "way"],
        f"/endpoints/{live.endpoint_id}/scale": ["replicas"],
        f"/endpoints/{live.endpoint_id}/delete": ["generation"],
        f"/endpoints/{live.endpoint_id}/rollback": ["reason", "revision"],
        f"/endpoints/{live.endpoint_id}/objective": ["generation", "latency_ms"],
        f"/endpoints/{live.endpoint_id}/keys": ["name"],
        "/targets/new": ["name", "site", "capacity_mb", "url"],
        "/targets/local/owner": ["owner", "revision"],
        "/targets/local/uses/add": ["project", "environment"],
        "/policies/risk/staging/draft": ["source"],
        "/policies/risk/staging/freeze": ["reason"],
        "/signing-keys/risk/trust": ["label", "pem", "valid_until"],
        f"/releases/{release.pk}/reviewers/ask": ["reviewers", "review_days"],
        "/projects/risk/environments/staging/reviews": ["review_days", "version"],
        "/absence/set": ["deputy", "starts_at", "ends_at"],
        "/tokens/new": ["name", "preset", "scopes", "days", "project"],
        "/device/confirm": ["code", "name", "preset", "scopes", "days", "project"],
        "/device/deny": ["code"],
        "/audit/witnesses/add": ["name", "kind", "address", "key", "retain_days"],
        "/audit/witnessed-logs/add": ["key"],
        "/audit/retention/set": ["days"],
        "/audit/holds/place": ["name", "scope", "subject", "reason"],
        f"/audit/holds/{hold.pk}/lift": ["reason"],
        f"/releases/{release.pk}/break-glass": ["statement_digest", "reason", "hours"],
        f"/break-glass/{glass.pk}/confirm": ["opening_digest", "comment"],
        f"/break-glass/{glass.pk}/review": ["finding", "findings"],
        "/recalls/create": ["kind", "what", "project", "reason"],
        "/passkeys/offer": ["authenticator", "name", "assertion"],
        "/streams/new": [
            "name",
            "kind",
            "url",
            "token_file",
            "ca_file",
            "cert_file",
            "project",
            "start",
            "alert_after_minutes",
        ],
        f"/streams/{stream.pk}/rewind": ["index"],
        f"/streams/{stream.pk}/remove": ["generation"],
        "/webhooks/new": ["name", "service", "url", "groups", "project"],
        f"/webhooks/{hook.pk}/change": ["url", "groups", "generation"],
        f"/webhooks/{hook.pk}/remove": ["generation"],
    }


def sound(world: World) -> dict[str, str]:
    """A value for every field that would be taken."""
    version = world.version()
    return {
        "project": "risk",
        "name": "sound",
        "fact": "code_author",
        "about": version.pk,
        "person": world.people["Ada"].pk,
        "description": "",
        "alias": "sound",
        "card": "",
        "version": version.pk,
        "environment": "staging",
        "endpoint": "sound",
        "bento": world.bento(version).pk,
        "replicas": "1",
        "max_replicas": "1",
        "memory_mb": "512",
        "reason": "because",
        "verdict": "approve",
        "comment": "fine",
        "kind": "jsonl",
        "url": "https://siem.example",
        "alert_after_minutes": "15",
        "index": "0",
        "generation": "0",
        "site": "edge",
        "capacity_mb": "512",
        "finding": "justified",
        "findings": "x",
        "hours": "1",
        "scopes": "model.view",
        "days": "7",
        "deputy": world.people["Rex"].pk,
        "starts_at": "",
        "ends_at": "2099-01-01",
        "reviewers": world.people["Rex"].pk,
        "review_days": "3",
        "review": "now",
        "way": "now",
        "address": "sound",
        "key": "",
        "retain_days": "30",
        "scope": "object",
        "subject": version.pk,
    }


@pytest.mark.parametrize("kind", list(ODD))
def test_no_form_breaks_over_odd_text(world: World, kind: str) -> None:
    roles = ("contributor", "reviewer", "approver", "operator", "admin")
    eve = factories.person("Eve", roles=dict.fromkeys(roles))
    client = browser(eve)
    rest = sound(world)
    for path, names in forms(world).items():
        for name in names:
            sent = rest | {"kind": "file"} if "witness" in path else rest
            answer = client.post(path, {**sent, name: ODD[kind]})
            assert answer.status_code < 500, f"{path} {name}"
        assert client.get("/targets/").status_code == 200, f"{path} broke the targets"


ADDRESSES = (
    "/models/?q={}",
    "/models/?project={}",
    "/releases/?state={}&after={}",
    "/releases/new/?version={}",
    "/releases/{}/",
    "/builds/{}/",
    "/endpoints/{}/",
    "/streams/{}/",
    "/streams/?after={}",
    "/webhooks/{}/",
    "/webhooks/?after={}",
    "/webhooks/{}/deliveries/{}/",
    "/audit/?kind={}&subject={}&project={}&since={}&before={}",
    "/audit/99999999999999999999/",
    "/deployments/?at={}&after={}",
    "/models/?sort={}",
    "/projects/risk/figures/?days={}",
    "/endpoints/?sort={}&isolation={}",
    "/break-glass/?project={}&review={}&release={}&after={}",
    "/break-glass/{}/",
    "/recalls/?state={}&after={}",
    "/recalls/{}/",
    "/recalls/new/?kind=bento&what={}&project={}",
    "/models/risk/churn/compare/?v={}&v={}",
    "/models/risk/churn/99999999999999/",
)


@pytest.mark.parametrize(
    "odd",
    [
        "%00",
        "%ff",
        "%F0%9F%92%A9",
        "9" * 40,
        "-1",
        "a" * 5000,
        "%5C",
        "%C2%B2",
        "2026-02-30",
        "9999-12-31",
    ],
)
def test_no_page_breaks_over_an_odd_address(world: World, odd: str) -> None:
    world.version()
    client = browser(
        factories.person(
            "Eve", roles={"contributor": world.project, "auditor": None, "operator": None}
        )
    )
    for address in ADDRESSES:
        answer = client.get(address.replace("{}", odd))
        assert answer.status_code in (200, 302, 400, 404), address


@pytest.mark.parametrize(
    ("kind", "body"),
    [
        ("multipart/form-data; boundary=a", b"--a\r\nX: " + b"x" * 20_000 + b"\r\n\r\n\r\n--a--"),
        ("multipart/form-data", b"--a"),
        ("application/x-www-form-urlencoded; charset=utf-16", b"a=b"),
    ],
)
@pytest.mark.parametrize("path", ["/nowhere/", "/models/%0A/ä/x/people/declare", "/projects/new"])
def test_no_form_that_cannot_be_read_breaks_a_page(path: str, kind: str, body: bytes) -> None:
    client = Client(raise_request_exception=False, enforce_csrf_checks=True)
    for more in ({}, {"X-CSRFToken": "x" * 32}):
        answer = client.post(path, data=body, content_type=kind, headers=more)
        assert 400 <= answer.status_code < 500
