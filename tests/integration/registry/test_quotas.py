"""How much a project may keep: told, enforced when files are announced, and never exceeded."""

import io
import threading
import zipfile
from typing import Any

import pytest
from django.db import connections

from apps.audit.models import Event
from apps.identity.actions import update_project
from apps.identity.models import User
from apps.registry import actions
from apps.registry.errors import QuotaExceeded
from apps.registry.models import Upload
from apps.registry.store import store
from apps.registry.usage import bytes_kept
from tests.integration.registry.helpers import Lab, chunk, sha256
from tests.support.factories import actor_of, api, person


def limit(lab: Lab, quota: int) -> None:
    """Have the access admin set the project's quota."""
    update_project(lab.project, artifact_quota=quota, actor=actor_of(admin()))


def admin() -> User:
    """Return the access admin, made when first needed."""
    known = User.objects.filter(email="ann@example.com").first()
    return known or person("Ann", roles={"admin": None})


def test_the_access_admin_sets_it_and_everybody_reads_it(lab: Lab) -> None:
    client = api(admin())
    tag = client.get("/projects/risk")["ETag"]
    answer = client.patch("/projects/risk", {"artifact_quota": 5000}, if_match=tag)
    assert (answer.status_code, answer.json()["artifact_quota"]) == (200, 5000)
    assert Event.objects.get(kind="project.quota_set.v1").project == lab.project.pk
    lab.put(lab.draft(), "model.joblib", b"x" * 1200)
    assert api(lab.victor).get("/projects/risk/storage").json() == {"used": 1200, "quota": 5000}
    assert api(lab.stranger).get("/projects/risk/storage").status_code == 404
    tag = lab.api.get("/projects/risk")["ETag"]
    refused = lab.api.patch("/projects/risk", {"artifact_quota": 0}, if_match=tag)
    assert refused.status_code == 403
    own = api(person("Adam", roles={"admin": lab.project}))
    answer = own.patch("/projects/risk", {"artifact_quota": 0}, if_match=tag)
    assert (answer.status_code, "everywhere" in answer.json()["detail"]) == (403, True)
    again = {"artifact_quota": 5000, "description": "Scores"}
    assert own.patch("/projects/risk", again, if_match=tag).status_code == 200
    tag = client.get("/projects/risk")["ETag"]
    wrong = client.patch("/projects/risk", {"artifact_quota": -1}, if_match=tag)
    assert wrong.json()["errors"][0]["pointer"] == "/artifact_quota"


def test_what_does_not_fit_is_refused_with_the_three_numbers(lab: Lab) -> None:
    limit(lab, 1500)
    version = lab.draft()
    lab.put(version, "a.txt", b"a" * 1000)
    body = {"path": "b.txt", "size": 600, "sha256": sha256(b"b" * 600)}
    answer = lab.api.post(f"{lab.at(version)}/uploads", body)
    assert (answer.status_code, answer.json()["code"]) == (413, "quota_exceeded")
    for number in ("1,500 bytes", "keeps 1,000", "need 600 more"):
        assert number in answer.json()["detail"]
    assert not Upload.objects.exists()
    lab.put(version, "c.txt", b"c" * 500)
    limit(lab, 0)
    lab.put(version, "b.txt", b"b" * 600)


def test_equal_contents_count_once_and_each_announced_upload_by_itself(lab: Lab) -> None:
    limit(lab, 2000)
    first, second = lab.draft(), lab.draft()
    lab.put(first, "a.txt", b"a" * 1000)
    lab.put(second, "other.txt", b"a" * 1000)
    assert bytes_kept(lab.project.pk) == 1000
    uploads = [lab.start(version, "b.txt", b"b" * 500) for version in (first, second)]
    assert bytes_kept(lab.project.pk) == 2000
    with pytest.raises(QuotaExceeded):
        lab.start(first, "c.txt", b"c")
    for upload in uploads:
        assert chunk(lab.api, upload.pk, 0, b"b" * 500).status_code == 200
    assert bytes_kept(lab.project.pk) == 1500
    waiting = lab.start(first, "c.txt", b"c" * 500)
    with pytest.raises(QuotaExceeded):
        lab.start(first, "d.txt", b"d")
    actions.cancel_upload(waiting, actor=lab.actor)
    lab.put(first, "d.txt", b"d")


def test_no_more_bytes_than_the_quota_come_in_by_uploads_of_one_digest(lab: Lab) -> None:
    """Nobody has seen any bytes of that digest: what comes in differs, and is never finished."""
    limit(lab, 1500)
    answers = []
    for number in range(4):
        body = {"path": "a.txt", "size": 1000, "sha256": "ab" * 32}
        answer = lab.api.post(f"{lab.at(lab.draft())}/uploads", body)
        if answer.status_code == 201:
            pk = answer.json()["upload"]["id"]
            assert chunk(lab.api, pk, 0, bytes([number]) * 999).status_code == 204
        answers.append(answer.status_code)
    received = sum(path.stat().st_size for path in (store().root / "incoming").iterdir())
    assert (answers, received) == ([201, 413, 413, 413], 999)


def packed(files: dict[str, bytes]) -> bytes:
    """Return a zip archive of ``files``."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in files.items():
            archive.writestr(name, data)
    return buffer.getvalue()


def stored() -> list[int]:
    """Return the sizes of all that lies in the store."""
    return sorted(found.size for found in store().listing())


def test_an_archive_counts_by_what_it_unpacks_to(lab: Lab) -> None:
    data = packed({name: name.encode() * 1000 for name in ("a", "b")})
    version = lab.draft()
    lab.put(version, "first.txt", b"f" * 500)
    limit(lab, 2499)
    upload = lab.start(version, "m.zip", data, archive=True)
    refused = chunk(lab.api, upload.pk, 0, data)
    assert (refused.status_code, refused.json()["code"]) == (413, "quota_exceeded")
    for said in ("keeps 500 ", "need 2,000 more"):
        assert said in refused.json()["detail"]
    assert [file.path for file in version.files.all()] == ["first.txt"], "half an archive stayed"
    assert stored() == [500], "what was refused lies in the store"
    limit(lab, 2500)
    assert lab.api.post(f"/uploads/{upload.pk}/finish").status_code == 200
    assert bytes_kept(lab.project.pk) == 2500


def test_what_the_project_holds_already_is_nothing_new_in_an_archive(lab: Lab) -> None:
    lab.put(lab.draft(), "a", b"a" * 1000)
    data = packed({"a": b"a" * 1000, "again": b"a" * 1000, "b": b"b" * 1000, "bb": b"b" * 1000})
    limit(lab, 2000)
    assert len(lab.put(lab.draft(), "m.zip", data, archive=True)) == 4
    assert (bytes_kept(lab.project.pk), stored()) == (2000, [1000, 1000])


def test_an_archive_that_the_version_has_no_place_for_leaves_nothing_in_the_store(lab: Lab) -> None:
    version = lab.draft()
    lab.put(version, "a", b"a" * 100)
    data = packed({"a": b"other" * 100, "b": b"b" * 1000})
    upload = lab.start(version, "m.zip", data, archive=True)
    refused = chunk(lab.api, upload.pk, 0, data)
    assert (refused.status_code, refused.json()["code"]) == (409, "path_taken")
    assert stored() == [100]


def test_a_file_that_does_not_fit_any_more_at_its_end_is_not_kept(lab: Lab) -> None:
    upload = lab.start(lab.draft(), "a.txt", b"a" * 1000)
    limit(lab, 1000)
    with pytest.raises(QuotaExceeded):
        actions.receive_chunk(upload, offset=0, stream=Lowering(lab, b"a" * 1000), actor=lab.actor)
    assert (stored(), upload.version.files.count()) == ([], 0)


class Lowering(io.BytesIO):
    """Bytes on their way while which the project's quota is lowered."""

    def __init__(self, lab: Lab, data: bytes) -> None:
        super().__init__(data)
        self.lab = lab

    def read(self, size: int | None = -1, /) -> bytes:
        """Return the next bytes, once less may be kept."""
        limit(self.lab, 900)
        return super().read(size)


def test_a_quota_lowered_meanwhile_stops_what_is_on_its_way(lab: Lab) -> None:
    version = lab.draft()
    upload = lab.start(version, "a.txt", b"a" * 1000)
    assert chunk(lab.api, upload.pk, 0, b"a" * 500).status_code == 204
    limit(lab, 900)
    assert chunk(lab.api, upload.pk, 500, b"a" * 500).json()["code"] == "quota_exceeded"
    limit(lab, 1000)
    assert chunk(lab.api, upload.pk, 500, b"a" * 500).status_code == 200


def test_another_projects_files_do_not_count(lab: Lab) -> None:
    lab.put(lab.draft(), "a.txt", b"a" * 1000)
    assert bytes_kept(lab.project.pk) == 1000
    assert bytes_kept("prj_other") == 0


@pytest.mark.django_db(transaction=True)
def test_of_two_uploads_at_once_only_what_fits_is_taken(artifacts: Any) -> None:
    lab = Lab()
    limit(lab, 1000)
    drafts = [lab.draft() for _ in range(6)]
    meet = threading.Barrier(len(drafts), timeout=20)
    ends: list[str] = []

    def announce(number: int) -> None:
        meet.wait()
        try:
            lab.start(drafts[number], "a.txt", bytes([number]) * 400)
            ends.append("taken")
        except QuotaExceeded:
            ends.append("refused")
        finally:
            connections.close_all()

    threads = [threading.Thread(target=announce, args=[n]) for n in range(len(drafts))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(ends) == ["refused"] * 4 + ["taken"] * 2
    assert bytes_kept(lab.project.pk) == 800
