"""No list reads what each of its rows may have megabytes of: fifty of them would be gigabytes."""

import re

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from apps.registry.queries import LARGE
from tests.integration.console.test_query_counts import many, paths
from tests.support import factories
from tests.support.factories import browser
from tests.support.world import World

pytestmark = pytest.mark.django_db
# Pages about one version or two, and what says of each revision of an endpoint how to call it
OF_FEW = {
    "/builds/{build}/",
    "/endpoints/{endpoint}/",
    "/endpoints/{endpoint}/predictions/",
    "/models/{project}/{name}/compare/",
    "/models/{project}/{name}/{number}/",
    "/models/{project}/{name}/{number}/people/",
    "/releases/new/",
    "/releases/{release}/",
    "/api/v1/releases/{release}",
}
LARGE_COLUMN = re.compile(rf'"registry_modelversion"\."({"|".join(LARGE)})"')


def test_no_list_reads_the_large_columns_of_versions(world: World) -> None:
    release = many(world)
    here = dict.fromkeys(("contributor", "reviewer", "approver"), world.project)
    client = browser(factories.person("Eve", roles={"auditor": None, **here}))
    lists = {name: path for name, path in paths(release).items() if name not in OF_FEW}
    model = release.version.model
    for path in (
        "/api/v1/exports/versions",
        "/api/v1/exports/models",
        "/api/v1/exports/releases",
        f"/api/v1/projects/{model.project.slug}/models/{model.name}/versions/1/builds",
        f"/api/v1/endpoints/{release.endpoint_id}/revisions",
        "/search/?q=alias",
        f"/search/?q={release.bento_id}",
        f"/search/?q={release.version_id}",
    ):
        lists[path] = path
    read = {}
    for name, path in lists.items():
        with CaptureQueriesContext(connection) as caught:
            answer = client.get(path)
            b"".join(answer)  # what is streamed asks while it is read
        assert answer.status_code == 200, path
        asked = [query["sql"] for query in caught if not query["sql"].endswith("LIMIT 1")]
        selected = " ".join(sql.split(" FROM ")[0] for sql in asked)
        if found := set(LARGE_COLUMN.findall(selected)):
            read[name] = found
    assert read == {}
