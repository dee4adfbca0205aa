"""What a build left is swept away whatever it is: the sweeper runs outside every limit."""

from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.integration.builds.conftest import Yard
from tests.support.trees import lent_deep, memory_of
from workers import build_job
from workers.builder import untrusted_files


@pytest.mark.django_db
def test_what_an_ended_build_left_is_removed_however_deep(yard: Yard) -> None:
    running = yard.taken()[0]
    build_job.workplaces().mkdir(parents=True)
    left, other = (build_job.workplaces() / name for name in ("bld_0-1", f"{running.pk}-1"))
    other.mkdir()
    (left / "smoke").mkdir(parents=True)
    with lent_deep(left / "smoke"):
        with memory_of(300):
            assert build_job.sweep_folders() == 1
        assert [*build_job.workplaces().iterdir()] == [other]


def test_the_folder_of_an_answer_is_removed_however_deep(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A scanner that what it read took over leaves what it likes beside its answer."""
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    with ExitStack() as inside, untrusted_files.folder_for_answer() as folder:
        inside.enter_context(lent_deep(folder / "left"))
        inside.enter_context(memory_of(300))
    assert [*tmp_path.iterdir()] == []
