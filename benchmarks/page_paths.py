"""What ``benchmarks/pages.py`` asks for: every page there is, in the ways it can be asked for."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import urlencode

WHOLE = (  # whole files, and what nodes ask for by their key
    "/api/v1/exports/",
    "/api/v1/audit/export",
    "/api/v1/audit/archives/{archive}/file",
    "/api/schema/",
    "/wheels/",
    "/agent/",
)


@dataclass(frozen=True, slots=True)
class Filled:
    """What the pages are asked about: an example of everything, and the busiest of each."""

    example: Any  # the world of the permission table, which has a value for each parameter
    release: Any  # a live one whose documents are its own
    captures: str  # an endpoint with captured predictions


def busy(sizes: dict[str, int]) -> dict[str, str]:
    """Return for the parameters of routes what has the most of everything (bulk.sql)."""
    from apps.registry.models import RegisteredModel

    model = RegisteredModel.objects.select_related("project").get(name="model-1")
    version = model.versions.order_by("-number").first()
    assert version is not None
    endpoint, release = key("end", 1), key("rel", sizes["releases"])
    build = key("bld", int(version.pk.removeprefix("ver_"), 16))
    return {
        **dict.fromkeys(("slug", "project"), model.project.slug),
        **dict.fromkeys(("models/name", "/models/{project}/{name}"), model.name),
        **dict.fromkeys(
            ("versions/number", "/models/{project}/{name}/{number}"), str(version.number)
        ),
        "versions/a": "1",
        "compare/b": "2",
        "evidence/evidence": key("evd", int(version.pk.removeprefix("ver_"), 16)),
        **dict.fromkeys(("release", "release_id"), release),
        **dict.fromkeys(("endpoint", "endpoint_id"), endpoint),
        **dict.fromkeys(("rollout", "rollout_id"), key("rlo", sizes["releases"])),
        **dict.fromkeys(("build", "build_id"), build),
        **dict.fromkeys(("people/person", "person_id"), key("per", 1)),
        "targets/name": "target-2",
        "index": "500",
    }


def key(prefix: str, number: int) -> str:
    """Return the id that bulk.sql gives a row."""
    return f"{prefix}_{number:032x}"


def paths(filled: Filled, sizes: dict[str, int]) -> list[tuple[str, ...]]:
    """Return every page and every endpoint that the permission table has a row for, each about the
    busiest thing, or about the example where that has none; and what they can be asked for.
    """
    from tests.permissions.table import rows

    world, values = filled.example, filled.example.values
    named = []
    for row in rows():
        if row.method == "GET" and not row.route.startswith(WHOLE):
            one = f"GET {row.route}"
            asked = urlencode(world.bodies.get(one) or {}, doseq=True)
            found = []
            for more in (busy(sizes), {}):
                world.values = values | more
                found.append(world.path(row.route) + (f"?{asked}" if asked else ""))
            named.append(tuple(dict.fromkeys(found)))
    world.values = values
    return [*named, *((path,) for path in asked_for(filled, sizes))]


def asked_for(filled: Filled, sizes: dict[str, int]) -> list[str]:
    """Return lists narrowed, far into them, and of long times; and what people type in a search."""
    from apps.registry.models import ModelVersion

    values = busy(sizes)
    one = f"/models/{values['project']}/{values['models/name']}/"
    version = ModelVersion.objects.get(
        model__name=values["models/name"], number=values["versions/number"]
    )
    digest, month = version.artifact_digest, f"{datetime.now(UTC) - timedelta(9):%Y-%m-%dT%H:%M}"
    endpoint = f"/endpoints/{values['endpoint']}/"
    typed = (
        *("m", "re", "model-19", "champion", "person", "12", "was over the limit", "latency"),
        *("no such thing", "%", "____", "' OR 1=1 --", "\\", "é" * 160, "a" * 5000),
        *(digest[7:17], "abc", f"{values['models/name']}:7", f"{values['models/name']}:", ":x"),
    )
    return [
        *(f"/search/?{urlencode({'q': text})}" for text in typed),
        *(f"/api/v1/search?{urlencode({'q': text})}" for text in (digest[:20], "model", "limit")),
        "/models/?q=model-19",
        "/models/?project=bench",
        "/models/?after=project-20/model-1",
        f"{one}?before=500",
        f"{one}compare/?v=1&v=2",
        "/releases/?state=live",
        "/releases/?state=failed",
        f"/releases/?after={filled.release.pk}",
        f"/releases/{filled.release.pk}/",
        f"/endpoints/{filled.release.endpoint_id}/",
        *(f"{endpoint}?range={name}" for name in ("24h", "7d", "30d")),
        *(f"/api/v1{endpoint}traffic?range={name}" for name in ("1h", "7d", "30d")),
        f"/endpoints/{filled.captures}/predictions/",
        f"/endpoints/{filled.captures}/predictions/?view=table",
        f"/deployments/?at={month}",
        f"/deployments/?at={month}&project={values['project']}",
        "/deployments/?at=2020-01-01",
        f"/recalls/new/?kind=version&project={values['project']}&what={version.pk}",
        f"/api/v1/recalls/preview?kind=version&project={values['project']}&what={version.pk}",
        "/administration/?q=person-19",
        "/administration/?show=no-factor",
        "/administration/?show=no-role",
        "/administration/tokens/?q=token+19",
        "/audit/?people=1",
        "/audit/?kind=policy",
        "/audit/?kind=freeze",
        "/audit/?since=2000-01-01",
        "/audit/?since=2999-01-01",
        f"/audit/?subject={version.pk}",
        f"/audit/?project={version.project_id}",
        "/audit/?before=1000",
        "/api/v1/releases?state=requested",
        "/api/v1/releases?model=model-7",
        "/api/v1/audit/events?kind=policy.published",
        "/api/v1/audit/events?limit=500",
    ]
