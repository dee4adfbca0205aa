"""One release taken from nothing to live while its processes are killed at named points."""

import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from placet.demo.story import SCIENTIST, Story
from tests.running import Running, running, signed_in

BUILD = (
    "builds.after_start", "builds.after_fetch", "builds.after_scan", "builds.after_runtime",
    "builds.before_runtime_rename", "builds.after_generate", "builds.after_build",
    "builds.after_smoke", "builds.after_sbom", "builds.after_export",
    "builds.before_commit_success", "builds.after_commit_success",
)  # fmt: skip
ROLLOUT = (
    "rollouts.before_start_commit", "rollouts.after_start_commit", "rollouts.before_command",
    "rollouts.after_command", "rollouts.before_store", "rollouts.after_store",
    "serving.before_state_commit", "serving.after_state_commit",
)  # fmt: skip
NODE = (
    "agent.before_rename.state.json", "agent.after_rename.state.json",
    "agent.before_rename.memory.json", "agent.after_rename.memory.json",
    "agent.before_rename.table.json", "agent.after_rename.table.json",
    "agent.before_rename.route.map", "agent.after_rename.route.map",
    "agent.before_haproxy_servers", "agent.before_haproxy_maps", "agent.after_haproxy_maps",
)  # fmt: skip
ANY_JOB = ("jobs.after_claim", "jobs.before_finish", "audit.after_checkpoint_commit")
ALL = (*BUILD, *ROLLOUT, *NODE, *ANY_JOB)
ONE_OF_EACH = (
    "SELECT (SELECT count(*) FROM builds_bento) AS bentos,"
    " (SELECT count(*) FROM serving_revision) AS revisions,"
    " (SELECT count(*) FROM serving_revision WHERE state = 'live' AND weight = 10000) AS live,"
    " (SELECT count(*) FROM rollouts_rollout) AS rollouts,"
    " (SELECT count(*) FROM rollouts_rollout WHERE state = 'done'"
    "   AND commanded = generation) AS done,"
    " (SELECT count(*) FROM governance_release) AS releases,"
    " (SELECT count(*) FROM builds_build WHERE state = 'succeeded') AS builds"
)
OPEN_JOBS = (
    "SELECT kind, state, error FROM jobs_job j WHERE state IN ('queued', 'running')"
    " AND NOT EXISTS (SELECT 1 FROM jobs_schedule s WHERE s.kind = j.kind)"
)
FAILED_JOBS = "SELECT kind, error FROM jobs_job WHERE state = 'failed'"


@dataclass
class Outcome:
    """What a walk with crashes came to."""

    seconds: float
    hit: list[str]
    size: int = 0
    faults: list[str] = field(default_factory=list)


def walk(folder: Path, points: tuple[str, ...]) -> Outcome:
    """Register, build, release and predict with ``points`` armed, each once; look at what is left.

    Nothing is repaired by hand: supervisor, leases and sweeps bring it to its end. The node's
    points stay unarmed until the release is asked for: its first state is an empty one.
    """
    markers = folder / "killed"
    markers.mkdir()
    unarmed = [markers / point for point in points if point in NODE]
    for marker in unarmed:
        marker.touch()
    armed = {"PLACET_CRASH_AT": ",".join(points), "PLACET_CRASH_ONCE": str(markers)}
    begun = time.monotonic()
    with running(folder / "data", armed=armed) as placet:
        try:
            size, faults = _walk(placet, unarmed)
        except Exception as error:
            size, faults = 0, [f"{type(error).__name__}: {error}"]
    hit = sorted(marker.name for marker in markers.iterdir())
    return Outcome(round(time.monotonic() - begun, 1), hit, size, faults)


def _walk(placet: Running, unarmed: list[Path]) -> tuple[int, list[str]]:
    lines: list[str] = []
    with signed_in(placet) as people, people["contributor"].client(SCIENTIST) as scientist:
        story = Story(placet.url, people, lines.append)
        story.policies()
        forest, rows = story.register(scientist, "forest")
        story.build(scientist, forest)
        for marker in unarmed:
            marker.unlink()
        live, _ = story.release(scientist, forest, "staging", ["reviewer"])
        story.predict(live, rows, forest)  # raises unless the answers are those of the training
        faults = _settled(placet)
        story.verify()
    said = placet.manage("audit", "verify", "--deep")
    faults += [] if said.returncode == 0 else [said.stdout + said.stderr]
    rebuilt = placet.rebuilt()
    faults += [] if rebuilt.returncode == 0 else [rebuilt.stderr]
    return int(story.result["audit"]["size"]), faults


def _settled(placet: Running, seconds: float = 60) -> list[str]:
    """Wait until no job is open and the rollout is done; return what is not as it must be."""
    wanted: dict[str, Any] = dict.fromkeys(
        ("bentos", "revisions", "live", "rollouts", "done", "releases", "builds"), 1
    )
    end = time.monotonic() + seconds
    while True:
        (found,), still = placet.sql(ONE_OF_EACH), placet.sql(OPEN_JOBS)
        if (found == wanted and not still) or time.monotonic() > end:
            break
        time.sleep(0.2)
    wrong = [f"{name}: {n}, not 1" for name, n in found.items() if n != 1]
    stuck = [f"a job is still open: {job}" for job in still]
    return wrong + stuck + [f"a job failed: {job}" for job in placet.sql(FAILED_JOBS)]


def one(points: tuple[str, ...]) -> Outcome:
    """Walk in a temporary folder."""
    with tempfile.TemporaryDirectory(prefix="placet-crash-") as name:
        return walk(Path(name), points)
