"""The pages about one version: what its builds came to, and which evidence counts."""

import re
from datetime import timedelta

import pytest

from apps.builds.models import Runtime
from apps.registry.actions import add_evidence
from apps.registry.models import ModelVersion
from placet.kernel.actor import SYSTEM
from placet.kernel.clock import now
from tests.support.factories import browser
from tests.support.world import World

pytestmark = pytest.mark.django_db
DIFFERS = "Succeeded, smoke test differs"


def read(world: World, url: str) -> str:
    return " ".join(browser(world.people["Ada"]).get(url).content.decode().split())


def test_a_smoke_test_that_differs_is_green_nowhere(world: World) -> None:
    version = world.version()
    bento = world.bento(version, result="different")
    form = f"/releases/new/?version={version.pk}"
    model = f"/models/{version.project.slug}/{version.model.name}/"
    shown = read(world, f"{model}{version.number}/")
    assert DIFFERS in shown
    assert "The smoke test differs: see why." in shown
    assert f'<a class="btn" href="{form}"' in shown
    assert DIFFERS in read(world, model)
    assert DIFFERS in read(world, f"/builds/{bento.build_id}/")
    assert "Newest build: smoke test differs." in read(
        world, f"/releases/new/?version={version.pk}"
    )
    world.bento(version)
    assert "Newest build" not in read(world, form)
    assert "see why." not in read(world, f"{model}{version.number}/")


def test_of_several_builds_the_page_says_whose_evidence_counts(world: World) -> None:
    version = world.version()
    world.bento(version)
    url = f"/models/{version.project.slug}/{version.model.name}/{version.number}/"
    assert "· counts" not in read(world, url)
    world.bento(version)
    shown = read(world, url)
    assert shown.count("· counts for the newest build") == 2  # its smoke test, and its scan
    assert shown.count("· counts for an earlier build") == 2


def test_metrics_of_a_finalised_version_are_reported_on_its_page(world: World) -> None:
    version = world.version()
    url = f"/models/{version.project.slug}/{version.model.name}/{version.number}/"
    assert 'id="report-metrics"' in read(world, url)
    ada = browser(world.people["Ada"])
    for typed in ("auc: 0.93\nloss:0.1", "auc: 0.93\nloss:0.1", "auc: good", ""):
        ada.post(f"{url}metrics", {"metrics": typed, "next": url})
    assert [e.data for e in version.evidence.all()] == [{"auc": 0.93, "loss": 0.1}]
    assert 'data-dialog="report-metrics"' in read(world, url)
    assert read(world, url).count("Added reported evidence: metrics") == 1
    ada.post(f"{url}metrics", {"metrics": "auc: 0.95", "next": url})
    assert read(world, url).count("Added reported evidence: metrics") == 2
    rex = browser(world.people["Rex"])
    assert "report-metrics" not in rex.get(url).content.decode()


def test_pages_say_of_an_old_safe_scan_what_gates_take_it_for(world: World) -> None:
    """Releases before 0.2 called files safe without a look at what loads them."""
    old, other = world.version(), world.version()
    bento = world.bento(old)
    scans = old.evidence.filter(kind="scan")
    row = scans.get()
    scans.delete()
    add_evidence(
        old,
        kind="scan",
        data=row.data | {"verdict": "safe"},
        source="measured",
        bento_digest="",
        actor=SYSTEM,
    )
    model = f"/models/{old.project.slug}/{old.model.name}/"
    compared = f"{model}compare/?v={old.number}&v={other.number}"
    for url in (f"{model}{old.number}/", f"/builds/{bento.build_id}/", compared):
        shown = read(world, url).lower()
        assert "code-carrying" in shown or "carries code" in shown, url
        assert "safe, 0 findings" not in shown


def test_compared_versions_say_what_data_code_and_packages_they_were_made_from(
    world: World,
) -> None:
    first = world.version(
        lineage={
            "datasets": [{"name": "loans", "digest": "sha256:" + "a" * 64}],
            "code": {"repository": "https://git.example/risk", "commit": "abc"},
        },
        requirements=["numpy==2.3.5"],
    )
    second = world.version(
        lineage={
            "datasets": [
                {"name": "loans", "digest": "sha256:" + "b" * 64},
                {"name": "rates", "digest": "sha256:" + "c" * 64},
            ],
            "code": {"repository": "https://git.example/risk", "commit": "abd"},
            "parent": first.pk,
        },
        requirements=["numpy==2.3.6"],
    )
    third = world.version()
    url = f"/models/{first.project.slug}/{first.model.name}/compare/"
    shown = compared(world, f"{url}?v={first.number}&v={second.number}")
    assert shown == {
        "Data loans": ("sha256:aaaa…aaaa", "sha256:bbbb…bbbb", "changed"),
        "Data rates": ("–", "sha256:cccc…cccc", "added"),
        "Commit": ("abc", "abd", "changed"),
        "Parent version": ("–", "churn:1", "added"),
        "Repository": ("https://git.example/risk", "https://git.example/risk", "same"),
        "Python": (*("not stated (platform default)",) * 2, "told"),
        "Packages": ("1 package given", "1 package given", "changed"),
    }
    shown = compared(world, f"{url}?v={first.number}&v={third.number}")
    assert shown["Data loans"][1:] == ("–", "removed")
    assert shown["Packages"] == ("1 package given", "none given", "changed")
    fourth = world.version()
    shown = compared(world, f"{url}?v={third.number}&v={fourth.number}")
    assert shown["Data"] == ("not declared", "not declared", "same")
    assert shown["Code"] == ("not declared", "not declared", "same")


def test_compared_versions_differ_in_python_only_where_they_do(world: World) -> None:
    """A version that states none runs with what its build took, and nobody knows before it is."""
    stated, silent = world.version(python_version="3.12"), world.version()
    url = f"/models/{silent.project.slug}/{silent.model.name}/compare/"
    url += f"?v={stated.number}&v={silent.number}"
    unsaid = "not stated (platform default)"
    assert compared(world, url)["Python"] == ("3.12", unsaid, "told")
    assert "≠" not in read(world, url), "nor what was not looked at yet"
    world.bento(silent)
    built = world.bento(stated).runtime.python_version
    unsaid = f"not stated (platform default, built with {built})"
    assert compared(world, url)["Python"] == ("3.12", unsaid, "changed")
    Runtime.objects.update(python_version="3.12")
    assert compared(world, url)["Python"][2] == "same"


def compared(world: World, url: str) -> dict[str, tuple[str, ...]]:
    """Return the rows about data, code and dependencies: both sides and how they differ."""
    part = read(world, url).split("Data, code and dependencies")[1].split("</table>")[0]
    rows = re.findall(r"<tr[^>]*>(.*?)</tr>", part.split("<tbody>")[1])
    cells = [re.findall(r"<td[^>]*>(.*?)</td>", row) for row in rows]
    plain = [[" ".join(re.sub("<[^>]*>", " ", cell).split()) for cell in row] for row in cells]
    return {row[0]: (row[1], row[2], row[3].split()[-1]) for row in plain}


def test_a_version_is_registered_when_it_is_finalised(world: World) -> None:
    version = world.version()
    ago = now() - timedelta(minutes=7)
    ModelVersion.objects.filter(pk=version.pk).update(
        created_at=ago - timedelta(minutes=30), finalised_at=ago
    )
    url = f"/models/{version.project.slug}/{version.model.name}/{version.number}/"
    heading = read(world, url).split("registered by")[1].split("</span>")[0]
    assert ">7 min ago<" in heading
