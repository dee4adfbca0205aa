"""Seconds of a build: cold, warm by step, and ``bentoml build`` alone beside it.

Run: ``python benchmarks/builds.py`` (needs an index for the cold build; takes about a minute).
"""

import io
import os
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT / "platform"), str(ROOT)]

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "placet.settings")
import django  # noqa: E402

django.setup()  # for the store: it reads settings and no database

import joblib  # noqa: E402
import sklearn  # noqa: E402
from sklearn.datasets import load_breast_cancer  # noqa: E402
from sklearn.ensemble import RandomForestClassifier  # noqa: E402

from apps.registry.store import Store  # noqa: E402
from placet_verify import canonical  # noqa: E402
from placet_verify.signing.keys import PrivateKey  # noqa: E402
from workers.builder import bento, generate, pipeline  # noqa: E402
from workers.builder.runtimes import RuntimeCache  # noqa: E402
from workers.builder.sandbox import Sandbox, never  # noqa: E402
from workers.builder.spec import BuildSpec, SourceFile  # noqa: E402

WARM = 5


def specify(store: Store) -> BuildSpec:
    """Train a forest, put it into the store and describe it."""
    features, labels = load_breast_cancer(return_X_y=True, as_frame=True)
    model = RandomForestClassifier(50, random_state=0).fit(features, labels)
    file = io.BytesIO()
    joblib.dump(model, file)
    file.seek(0)
    sha256, size = store.put_stream(file)
    manifest = [{"path": "model.joblib", "size": size, "sha256": sha256}]
    return BuildSpec(
        build="bld_bench",
        project="prj_bench",
        version="ver_bench",
        model="bench",
        number=1,
        format="sklearn",
        artifact_digest=canonical.digest(manifest),
        files=(SourceFile("model.joblib", sha256, size),),
        signature={"inputs": [{"name": str(n), "type": "double"} for n in features.columns]},
        requirements=(f"scikit-learn=={sklearn.__version__}",),
        example=features.head(5).to_dict("records"),
        expected=[int(p) for p in model.predict(features.head(5))],
    )


def plain_build(spec: BuildSpec, workshop: pipeline.Workshop, folder: Path) -> float:
    """Return the seconds of ``bentoml build`` alone, in the same sandbox."""
    place = bento.Workplace(folder)
    place.make()
    pipeline.fetch(spec, workshop.store, place.artifact, lambda text: None)
    generate.project(spec, place.project)
    runtimes = workshop.runtimes
    lock = runtimes.resolve(spec.requirements, spec.format, "", log=lambda t: None, cancelled=never)
    runtime = runtimes.provide(lock, log=lambda t: None, cancelled=never)
    started = time.monotonic()
    bento.build(spec, place, runtimes, runtime.digest, lock, log=lambda t: None, cancelled=never)
    return time.monotonic() - started


def main() -> None:
    """Measure and print."""
    with tempfile.TemporaryDirectory(prefix="placet-bench-") as name:
        home, sandbox = Path(name), Sandbox.detect()
        store = Store(home / "artifacts")
        spec = specify(store)
        workshop = pipeline.Workshop(
            store, RuntimeCache(home / "runtimes", store, sandbox), sandbox, PrivateKey.generate()
        )
        for number in range(WARM + 1):
            made = pipeline.run(
                spec,
                workshop=workshop,
                workdir=home / "work",
                log=lambda step, text: None,
                cancelled=never,
            )
            total = sum(made.timings.values())
            bare = total - made.timings["smoke"]
            kind = "warm" if number else "cold"
            print(f"{kind}: {total:.2f} s, without the smoke test {bare:.2f} s  {made.timings}")
        for number in range(WARM):
            print(f"bentoml build alone: {plain_build(spec, workshop, home / f'p{number}'):.2f} s")


if __name__ == "__main__":
    main()
