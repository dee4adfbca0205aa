"""The published API is a promise: a change of it is seen in review."""

from pathlib import Path

import yaml
from django.core.management import call_command

SNAPSHOT = Path(__file__).with_name("openapi.yaml")


def test_the_api_is_the_one_that_was_published(tmp_path: Path) -> None:
    now = tmp_path / "openapi.yaml"
    call_command("spectacular", "--validate", "--fail-on-warn", "--file", str(now))
    assert now.read_text() == SNAPSHOT.read_text(), "run `make schema` and look at the difference"


def test_every_operation_says_how_it_refuses() -> None:
    document = yaml.safe_load(SNAPSHOT.read_text())
    assert document["openapi"].startswith("3.1")
    operations = [
        (f"{method.upper()} {path}", operation)
        for path, item in document["paths"].items()
        for method, operation in item.items()
        if method in {"get", "post", "put", "patch", "delete"}
    ]
    assert len(operations) > 80
    for name, operation in operations:
        assert "application/problem+json" in operation["responses"]["default"]["content"], name
