"""Registering a folder: whatever breaks in between, one content leads to one version."""

import json
import threading
from pathlib import Path
from typing import Any

import httpx
import pytest

from apps.builds.models import Build
from apps.registry.actions import add_evidence
from apps.registry.models import Evidence, ModelVersion
from placet.kernel.actor import SYSTEM
from placet_client import Client, PlacetError, Unreachable, login
from placet_client.cli import main
from placet_client.nouns import Uploads
from placet_client.nouns.uploads import Progress
from placet_client.records import ArtifactFile, Upload
from placet_client.register import register
from tests.support.commands import answer, folder
from tests.support.world import World

pytestmark = pytest.mark.django_db(transaction=True)
BIG = 9 * 1024 * 1024


class Killed(BaseException):
    """The process ends here."""


@pytest.fixture
def out(home: Path) -> Path:
    """A folder with a model, a large file, and files in a sub-folder."""
    made = folder(home)
    (made / "data").mkdir()
    (made / "data" / "version.json").write_text('{"of": "the data set"}')
    (made / "weights.bin").write_bytes(bytes(range(256)) * (BIG // 256))
    return made


def client() -> Client:
    """Connect as whoever is logged in."""
    known = login.current()
    return Client(known.url, known.token)


def command(out: Path, *more: str) -> list[str]:
    """Return the command that registers a folder."""
    return ["model", "register", "--project", "risk", "--name", "age", "--from", str(out), *more]


def test_only_the_version_json_at_the_top_is_the_description(world: World, out: Path) -> None:
    assert main(command(out)) == 0
    files = set(ModelVersion.objects.get().files.values_list("path", flat=True))
    assert files == {"model.joblib", "weights.bin", "data/version.json"}


def test_what_programs_leave_in_a_folder_is_not_sent_and_named(
    world: World, out: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for path in (".git/HEAD", "__pycache__/model.pyc", ".DS_Store", "data/._weights.bin"):
        (out / path).parent.mkdir(exist_ok=True)
        (out / path).write_bytes(b"left behind")
    assert main(command(out)) == 0
    files = set(ModelVersion.objects.get().files.values_list("path", flat=True))
    assert files == {"model.joblib", "weights.bin", "data/version.json"}
    said = capsys.readouterr().err
    assert "Not sent: .DS_Store, .git/HEAD, __pycache__/model.pyc, data/._weights.bin" in said


def test_an_interrupted_registration_goes_on_with_the_same_draft_and_offset(
    world: World, out: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    begun = Uploads.append

    def cut(self: Uploads, upload: str, offset: int, chunk: bytes) -> Any:
        if offset:
            raise Killed
        return begun(self, upload, offset, chunk)

    monkeypatch.setattr(Uploads, "append", cut)
    with pytest.raises(Killed), client() as placet:
        register(placet, "risk", "age", out)
    monkeypatch.setattr(Uploads, "append", begun)
    starts: list[int] = []
    send = Uploads._send

    def noted(
        self: Uploads, upload: Upload, file: Path, progress: Progress | None
    ) -> tuple[ArtifactFile, ...]:
        starts.append(upload.received)
        return send(self, upload, file, progress)

    monkeypatch.setattr(Uploads, "_send", noted)
    with client() as placet:
        done = register(placet, "risk", "age", out)
    assert done.new and done.version.number == 1
    version = ModelVersion.objects.get()
    assert (version.state, version.files.count()) == ("finalised", 3)
    assert starts == [4 * 1024 * 1024], "only the file that was cut is sent, from where it was cut"
    assert Evidence.objects.filter(kind="metrics").count() == 1


@pytest.mark.parametrize("step", ["_report", "_finalise"])
def test_it_goes_on_from_every_step(
    world: World, out: Path, step: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def killed(*_: object) -> None:
        raise Killed

    with monkeypatch.context() as patch:
        patch.setattr(f"placet_client.register.{step}", killed)
        with pytest.raises(Killed), client() as placet:
            register(placet, "risk", "age", out)
    assert main(command(out)) == 0
    assert ModelVersion.objects.get().state == "finalised"
    assert Evidence.objects.filter(kind="metrics").count() == 1


def test_the_same_content_is_one_version_and_other_content_another(
    world: World, out: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(command(out, "-o", "json")) == 0
    first = answer(capsys)
    assert main(command(out, "-o", "json")) == 0
    said = capsys.readouterr()
    assert json.loads(said.out)["id"] == first["id"]
    assert "Registered before: risk/age:1" in said.err
    assert main(command(out, "--again")) == 0
    (out / "data" / "version.json").write_text("{}")
    assert main(command(out)) == 0
    facts = json.loads((out / "version.json").read_text())
    (out / "version.json").write_text(json.dumps(facts | {"parameters": {"depth": 3}}))
    assert main(command(out)) == 0
    assert list(ModelVersion.objects.order_by("number").values_list("number", "state")) == [
        (number, "finalised") for number in (1, 2, 3, 4)
    ]
    assert (
        main(["model", "register", "--project", "risk", "--name", "other", "--from", str(out)]) == 0
    )


def test_what_the_folder_says_otherwise_of_a_registered_version_is_named_and_not_shown_as_stored(
    world: World, out: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    facts = json.loads((out / "version.json").read_text())
    assert main(command(out)) == 0
    changed = {"metrics": {"auc": 0.95}, "tags": {"team": "a b"}, "card": "# Other"}
    (out / "version.json").write_text(json.dumps(facts | changed))
    capsys.readouterr()
    assert main(command(out)) == 0
    said = capsys.readouterr()
    assert "auc 0.9\n" in said.out
    assert "Registered before: risk/age:1\n" in said.err
    assert "was not stored: tags, card, metrics\n" in said.err
    store = """placet evidence add risk/age:1 metrics --data '{"auc": 0.95}'"""
    assert store in said.err
    assert "placet version tag risk/age:1 'team=a b'" in said.err
    assert main(["evidence", "add", "risk/age:1", "metrics", "--data", '{"auc": 0.95}']) == 0
    capsys.readouterr()
    assert main(command(out)) == 0
    said = capsys.readouterr()
    assert "auc 0.95\n" in said.out
    assert "was not stored: tags, card\n" in said.err


def test_what_is_built_is_not_built_again(
    world: World, out: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for _ in range(2):
        assert main(command(out, "--build")) == 0
    build = Build.objects.get()
    assert f"Build {build.pk} before; `placet build start` builds again" in capsys.readouterr().err
    for state, count in (("succeeded", 1), ("failed", 2)):
        Build.objects.filter(pk=build.pk).update(state=state)
        assert main(command(out, "--build")) == 0
        assert Build.objects.count() == count


def test_who_waits_for_a_build_is_told_last_that_it_predicts_otherwise_than_expected(
    world: World, out: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(command(out, "--build")) == 0
    build, digest = Build.objects.get(), f"sha256:{'5' * 64}"
    Build.objects.update(state="succeeded", bento_digest=digest)
    found = {"rows": 1, "equal": 0, "detail": "Row 0 is 0, expected 1"}
    for result, ends in (
        ("equal", ["→ {}/models/risk/age/1/"]),
        (
            "different",
            [
                f"Build {build.pk} succeeded, smoke test differs: "
                "0 of 1 outputs as expected. Row 0 is 0, expected 1",
                f"→ {{}}/builds/{build.pk}/",
                "→ {}/models/risk/age/1/",
            ],
        ),
    ):
        add_evidence(
            ModelVersion.objects.get(),
            kind="smoke_test",
            data={"result": result, **found},
            source="measured",
            bento_digest=digest,
            actor=SYSTEM,
        )
        capsys.readouterr()
        assert main(command(out, "--build", "--wait")) == 0, "a difference fails no build"
        said = capsys.readouterr()
        lines = [line for line in said.err.splitlines() if not line.startswith("{")]
        assert lines[-len(ends) :] == [end.format(client().url) for end in ends]
        assert ("smoke test differs\n" in said.out) is (result == "different")
        assert ("smoke test" in said.err) is (result == "different")
    assert main(["build", "log", build.pk, "--follow"]) == 0
    assert "smoke test differs: 0 of 1" in capsys.readouterr().err


def test_two_at_once_make_one_version(world: World, out: Path) -> None:
    made: list[Any] = []

    def run() -> None:
        try:
            with client() as placet:
                made.append(register(placet, "risk", "age", out).version.number)
        except PlacetError as error:
            made.append(error)

    threads = [threading.Thread(target=run) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(120)
    assert made == [1, 1]
    version = ModelVersion.objects.get()
    assert (version.state, version.files.count()) == ("finalised", 3)
    assert Evidence.objects.filter(kind="metrics").count() == 1


def test_a_draft_that_was_changed_by_hand_is_left_alone(world: World, out: Path) -> None:
    with client() as placet:
        placet.models.create("risk", "age")
        facts = json.loads((out / "version.json").read_text())
        facts.pop("metrics")
        placet.versions.create("risk", "age", **facts)
        placet.versions.edit("risk", "age", 1, parameters={"mine": True}, requirements=[])
        assert register(placet, "risk", "age", out).version.number == 2


def test_an_upload_goes_on_when_the_line_breaks(
    world: World, out: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    append, broken = Uploads.append, []

    def flaky(self: Uploads, upload: str, offset: int, chunk: bytes) -> Any:
        done = append(self, upload, offset, chunk)
        if len(broken) < 2:  # the bytes arrived, the answer did not
            broken.append(offset)
            raise httpx_error()
        return done

    monkeypatch.setattr(Uploads, "append", flaky)
    known = login.current()
    with Client(known.url, known.token, sleep=lambda _: None) as placet:
        assert register(placet, "risk", "age", out).version.state == "finalised"
    assert broken == [0, 0]


def httpx_error() -> PlacetError:
    """Return what a broken connection is raised as."""
    return Unreachable(0, "unreachable", str(httpx.ReadError("gone")))


def test_a_folder_that_says_nonsense_makes_nothing(
    world: World, home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    empty = home / "empty"
    empty.mkdir()
    for text in (None, "[1]", "{", '{"colour": 1}', "[" * 100_000, "{}"):
        if text is not None:
            (empty / "version.json").write_text(text)
        assert main(command(empty)) == 1
        assert str(empty) in capsys.readouterr().err
    assert main(command(home / "nothing")) == 1
    assert not ModelVersion.objects.exists()
