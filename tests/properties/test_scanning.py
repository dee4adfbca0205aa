"""The scanner against the loaders: whatever ran code when it was loaded is not ``safe``.

Pickles, polyglots, archives, wrappers and model folders of many families are drawn by seed
(``scanning.families``), each with a planted marker. Each is scanned, and loaded by the loaders that
its family leads to, in forked processes in the build sandbox with an audit hook
(``scanning.loading``): it ran code when its marker fired, or when the hook saw what no plain load
of that kind does. And what honest people send is called what it is.

CI draws 2,000, ``make prove`` 100,000. A failure names its family and the seed that draws it again,
and keeps the files. ``-s`` shows what became of each family.
"""

import importlib.util
import json
import shutil
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import hypothesis
import pytest

from proofs.record import RESULTS, commit
from tests.properties.scanning.beside import KINDS as BESIDE
from tests.properties.scanning.drawn import Drawn, draw
from tests.properties.scanning.families import FAMILIES, drawn
from tests.properties.scanning.honest import KINDS as WRITTEN
from tests.properties.scanning.judged import LIBRARIES, Judged, judge, on_disk, scanned
from workers.builder import scanner
from workers.builder.sandbox import Sandbox
from workers.builder.scanning.known import ORDER

PROVING = hypothesis.settings.default.max_examples > 100
EACH = 110 if PROVING else 22  # of a family in one round
ROUNDS = 10 if PROVING else 1
HONEST = 50  # of each kind
KINDS = WRITTEN | BESIDE
LEAST = 0.4  # of all this share runs: a generator whose files do nothing proves nothing
BY_ITSELF = {
    "torch": ("zips of torch", "old files of torch", "a tar"),
    "keras": ("a keras zip", "a keras folder"),
}


@dataclass
class Tally:
    """What became of a family, and what of it was called safe and ran."""

    said: Counter[str] = field(default_factory=Counter)
    holes: list[Judged] = field(default_factory=list)

    def add(self, one: Judged) -> None:
        """Count one."""
        what = "ran" if one.runs else "ended its loader" if one.ran else "did nothing"
        self.said[f"{what}: {one.verdict}"] += 1
        if one.harms and one.verdict == "safe":
            self.holes.append(one)


@dataclass
class Found:
    """All that was drawn, by family; of one round the samples themselves."""

    families: dict[str, Tally]
    sample: list[Judged]
    seconds: float  # of processor, of the loading

    def count(self, start: str) -> int:
        """Return how many of all families came to this."""
        return sum(
            count
            for tally in self.families.values()
            for said, count in tally.said.items()
            if said.startswith(start)
        )


@pytest.fixture(scope="module")
def seed(request: pytest.FixtureRequest) -> int:
    return int(request.config.getoption("--hypothesis-seed") or 1)


@pytest.fixture(scope="module")
def sandbox() -> Sandbox:
    return Sandbox.detect()


@pytest.fixture(scope="module")
def found(seed: int, sandbox: Sandbox) -> Iterator[Found]:
    """Draw, load and scan all; ``make prove`` keeps what came of it."""
    begun, families = datetime.now(UTC), {name: Tally() for name in FAMILIES}
    whole = Found(families, [], 0)
    for number in range(ROUNDS):
        whole.sample, seconds = judge(drawn(seed, EACH, number * EACH), sandbox)
        whole.seconds += seconds
        for one in whole.sample:
            families[one.drawn.family].add(one)
    yield whole
    if PROVING:
        keep(whole, begun, seed)


def keep(found: Found, begun: datetime, seed: int) -> None:
    """Write the result file."""
    state = commit()
    said = {name: dict(tally.said) for name, tally in found.families.items()}
    whole: dict[str, Any] = {
        "begun": begun.isoformat(),
        "commit": state,
        "seed": seed,
        "families": len(FAMILIES),
        "files": found.count(""),
        "ran": found.count("ran"),
        "ran and safe": found.count("ran: safe"),
        "honest": HONEST * len(KINDS),
        "said": said,
        "processor seconds": round(found.seconds),
        "seconds": round((datetime.now(UTC) - begun).total_seconds()),
    }
    path = RESULTS / f"scanning-{begun:%Y%m%d-%H%M}-{state[:12]}-seed{seed}.json"
    path.write_text(json.dumps(whole, indent=1, ensure_ascii=False) + "\n")


def told(one: Judged, folder: Path) -> str:
    """Keep the files of one and say how it is drawn again."""
    home = folder / one.drawn.seed.replace("/", "-")
    shutil.rmtree(home, ignore_errors=True)
    for name, data in one.drawn.files.items():
        (home / name).parent.mkdir(parents=True, exist_ok=True)
        (home / name).write_bytes(data)
    return f"{one.drawn.seed} ({one.verdict}, {one.ran}; in {home})"


@pytest.mark.parametrize("family", FAMILIES)
def test_what_runs_code_when_it_is_loaded_is_not_safe(
    family: str, found: Found, tmp_path: Path
) -> None:
    tally = found.families[family]
    print(f"{family}: {dict(tally.said)}")
    assert tally.said.total() == EACH * ROUNDS
    assert [told(one, tmp_path) for one in tally.holes] == []


def test_there_are_many_families_and_much_of_what_they_draw_runs(found: Found) -> None:
    ran, whole = found.count("ran"), found.count("")
    print(f"{ran} of {whole} ran, {found.seconds:.1f} s of processor to load them")
    assert len(FAMILIES) >= 40
    assert whole >= 2000
    assert ran >= LEAST * whole


def test_the_same_seed_draws_the_same_files(seed: int) -> None:
    for name in ("soup", "a zip", "nodes of skops", "gif"):
        assert draw(name, FAMILIES[name], seed, 3) == draw(name, FAMILIES[name], seed, 3)


def test_the_whole_scan_in_its_sandbox_says_no_less(
    found: Found, sandbox: Sandbox, honest: dict[str, list[Judged]]
) -> None:
    """With the second opinion, which may only add to what was found; to honest files nothing."""
    ran = [one for one in found.sample if one.runs and one.verdict != "malicious"][::40][:10]
    good = [several[0] for several in honest.values()]
    assert len(ran) == 10
    assert len(good) == len(KINDS)
    for one in [*ran, *good]:
        with on_disk([one.drawn]) as folder:
            whole = scanner.scan(folder / "0", sandbox)
        least = ORDER.index(one.verdict)
        assert ORDER.index(whole.verdict) >= least, (one.drawn.seed, whole)
        assert one in ran or whole.verdict == one.verdict, (one.drawn.seed, whole)


@pytest.fixture(scope="module")
def honest(seed: int, sandbox: Sandbox) -> dict[str, list[Judged]]:
    """Have the honest ones scanned, picklescan and all, and some of each kind loaded."""
    every = {
        kind: [draw(kind, maker, seed, n) for n in range(HONEST)]
        for kind, (maker, _) in KINDS.items()
    }
    some = [one for several in every.values() for one in several[:5]]
    first, _ = judge(some, sandbox)
    ran = {one.drawn.seed: one.ran for one in first}
    known: dict[str, Judged] = {}
    files: list[Drawn] = [one for several in every.values() for one in several]
    with on_disk(files) as folder:
        for number, one in enumerate(files):
            said = scanned(folder / str(number), whole=True)
            known[one.seed] = Judged(one, *said, ran.get(one.seed, ""))
    return {kind: [known[one.seed] for one in several] for kind, several in every.items()}


@pytest.mark.parametrize("kind", KINDS)
def test_an_honest_file_is_called_what_it_is(
    kind: str, honest: dict[str, list[Judged]], tmp_path: Path
) -> None:
    expected = KINDS[kind][1]
    wrong = [one for one in honest[kind] if one.verdict != expected]
    assert [(told(one, tmp_path), one.told) for one in wrong] == []
    assert len(honest[kind]) == HONEST
    if expected == "safe":
        assert [told(one, tmp_path) for one in honest[kind] if one.ran] == []


if LIBRARIES:  # gigabytes that CI has not: PLACET_LIBRARIES names a folder with torch or keras

    @pytest.mark.parametrize("library", BY_ITSELF)
    def test_a_library_runs_what_its_rules_say_that_it_runs(
        library: str, seed: int, sandbox: Sandbox
    ) -> None:
        """``proofs/README.md`` says how to have torch and keras for this."""
        if importlib.util.find_spec(library) is None and not (LIBRARIES[0] / library).is_dir():
            pytest.skip(f"{library} is not in PLACET_LIBRARIES")
        rules = [
            draw(name, FAMILIES[name], seed, number)
            for name in BY_ITSELF[library]
            for number in range(500 if PROVING else EACH)
        ]
        rules = [Drawn(one.family, one.seed, one.files, (library,)) for one in rules]
        itself = [Drawn(one.family, one.seed, one.files, (f"{library} itself",)) for one in rules]
        said, _ = judge(rules, sandbox)
        real, _ = judge(itself, sandbox)
        assert [one.drawn.seed for one in real if one.runs and one.verdict == "safe"] == []
        pairs = zip(said, real, strict=True)
        assert [one.drawn.seed for one, other in pairs if other.runs and not one.runs] == []
        assert sum(one.runs for one in real) >= LEAST * len(real) / 2, (
            "it is to be tried, not refused"
        )
