"""The verifier says what people call a release, its endpoint and its model, from proven bytes."""

from pathlib import Path
from typing import Any

import pytest

from placet_verify.__main__ import main
from placet_verify.bundle import bundle
from placet_verify.signing.keys import KeyRing, PublicKey
from tests.support.offline import Papers, python_says

EXAMPLE = Path(__file__).resolve().parents[3] / "docs/examples"
ALONE = (
    "ok: signatures hold among themselves; whose they are is not shown without the root key that"
    " you were given: name it with --root"
)


def names_in(*rows: dict[str, Any]) -> list[str]:
    """Return what the verifier calls things by, of a bundle with these rows in an event."""
    after = {f"{row.pop('table')}:{n}": row for n, row in enumerate(rows)}
    event = {"kind": "x.y.v1", "at": "2026-11-25T12:00:00.000000Z", "salt": "A", "after": after}
    papers = Papers(more_events=[event])
    answer = python_says(papers.files(), papers.root)
    assert answer.code == "", answer.lines
    return [line.partition(", event")[0] for line in answer.lines if line.startswith("name: ")]


def test_the_example_is_called_by_its_names_beside_its_ids() -> None:
    files = bundle.read(EXAMPLE / "release-bundle.zip")
    ring = KeyRing.open(files["keys.json"], PublicKey.load(EXAMPLE / "root.pub"))
    said = [line for line in bundle.verify(files, ring) if line.startswith("name: ")]
    release, endpoint, model = said
    assert release.startswith("name: rel_") and " is release " in release and "event " in release
    assert endpoint.startswith("name: end_") and " is endpoint " in endpoint
    assert model.startswith("name: ver_") and ", version " in model and "of project" in model


def test_what_has_no_name_in_the_bundle_has_none() -> None:
    assert names_in() == []


def test_only_this_release_and_this_endpoint_are_named() -> None:
    asked = Papers().asked
    release = {"table": "governance.release", "id": asked.release, "number": 12}
    other = {"table": "governance.release", "id": "rel_other", "number": 13}
    endpoint = {"table": "serving.endpoint", "id": asked.endpoint, "name": "churn"}
    assert names_in(other, release, endpoint) == [
        f"name: {asked.release} is release 12",
        f"name: {asked.endpoint} is endpoint churn",
    ]


@pytest.mark.parametrize("name", ["\x1b[2Jok", "a\nok: genuine", "", "x" * 101, 7, None, "<b>"])
def test_a_name_that_a_terminal_would_obey_is_not_said(name: Any) -> None:
    asked = Papers().asked
    assert names_in({"table": "serving.endpoint", "id": asked.endpoint, "name": name}) == []
    assert names_in({"table": "governance.release", "id": asked.release, "number": name}) in (
        [],
        [f"name: {asked.release} is release 7"],
    )


def test_without_the_root_key_no_more_is_said_than_that_it_fits_together(
    capsys: pytest.CaptureFixture[str],
) -> None:
    file = str(EXAMPLE / "release-bundle.zip")
    assert main(["bundle", file]) == 0
    assert capsys.readouterr().out.splitlines()[-1].startswith(ALONE)
    assert main(["bundle", file, "--root", str(EXAMPLE / "root.pub")]) == 0
    assert capsys.readouterr().out.splitlines()[-1].startswith("ok: this release was approved")
