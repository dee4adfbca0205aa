"""Loads drawn files and says of each whether code of it ran. Runs in the build sandbox.

``python -m tests.properties.scanning.loading FOLDER ANSWER``: ``FOLDER/asked.json`` says how each
of its folders is to be loaded. One process imports the loaders and forks for every few files; where
a child dies the file that it was at is noted, and the next child goes on behind it.
"""

import json
import os
import resource
import signal
import sys
import warnings
from pathlib import Path
from typing import Any

from placet_marker import Ran

from tests.properties.scanning.hook import Watch, imported
from tests.properties.scanning.rules import files
from tests.properties.scanning.ways import FOLLOWING, OF_FILES, OF_FOLDERS

BATCH = 60
SECONDS = 1.0  # of processor for one file: joblib never ends with some broken streams
MEMORY = 12 << 30  # of addresses
# What a file had imported is forgotten before the next one is loaded.
FORGOTTEN = {"own", "this", "antigravity", "idlelib", "placet_marker_imported", "placet-marker"}


def warm(ways: set[str]) -> None:
    """Import what the loaders need, once."""
    for name in (
        "joblib",
        "numpy",
        "sklearn.linear_model",
        "sklearn.ensemble",
        "skops.io",
        "yaml",
        "onnx",
        "xgboost",
        "lightgbm",
        "cloudpickle",
    ):
        __import__(name)
    for name in ("torch", "keras"):
        if f"{name} itself" in ways:
            __import__(name)
    if ways & {"mlflow", "mlflow predicts", "mlflow warns"}:
        for name in (
            "mlflow.pyfunc",
            "mlflow.pyfunc.model",
            "mlflow.sklearn",
            "mlflow.xgboost",
            "mlflow.lightgbm",
        ):
            __import__(name)


def load(folder: Path, ways: list[str], watch: Watch) -> str:
    """Load one sample in all its ways; return what ran, or ''."""
    for way in ways:
        if way in OF_FOLDERS:
            calls = [(OF_FOLDERS[way], folder)]
        else:
            calls = [(OF_FILES[way], path) for path in files(folder)]
        for loader, path in calls:
            why = watched(loader, path, watch)
            if why:
                return f"{way}: {why}"
    return ""


def watched(loader: Any, path: Path, watch: Watch) -> str:
    """Call one loader under the hook."""
    known, places, late = set(sys.modules), list(sys.path), ""
    watch.why, watch.on = "", True
    try:
        loader(path)
    except Ran as ran:
        return str(ran)
    except BaseException as error:  # most of what is drawn is broken
        found: BaseException | None = error
        while found is not None:  # a loader may wrap it
            if isinstance(found, Ran):
                return str(found)
            found = found.__cause__ or found.__context__
    finally:
        watch.on = False
        late = imported(known)
        sys.path[:] = places
        for name in set(sys.modules) - known:
            if name.partition(".")[0] in FORGOTTEN:
                del sys.modules[name]
    return watch.why or late


def child(folder: Path, batch: list[tuple[str, list[str]]], pipe: int) -> None:
    """Load a batch and write a line for each before and after."""
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    silence = os.open(os.devnull, os.O_RDWR)
    for number in (0, 1, 2):
        os.dup2(silence, number)
    watch = Watch()
    sys.addaudithook(watch.hook)
    warnings.simplefilter("ignore")
    for number, ways in batch:
        os.write(pipe, json.dumps([number, None]).encode() + b"\n")
        signal.setitimer(signal.ITIMER_PROF, SECONDS)
        found = load(folder / number, ways, watch)
        signal.setitimer(signal.ITIMER_PROF, 0)
        os.write(pipe, json.dumps([number, found]).encode() + b"\n")
    os._exit(0)


def batched(folder: Path, batch: list[tuple[str, list[str]]]) -> dict[str, str]:
    """Have a child load a batch; one that dies is followed by another for the rest."""
    told: dict[str, str] = {}
    while batch:
        reading, writing = os.pipe()
        process = os.fork()
        if process == 0:
            os.close(reading)
            child(folder, batch, writing)
        os.close(writing)
        with os.fdopen(reading) as lines:
            for line in lines:
                number, found = json.loads(line)
                told[number] = "?" if found is None else found
        os.waitpid(process, 0)
        for number in [number for number, found in told.items() if found == "?"]:
            told[number] = "!"  # it ended the process: broken data may, in C
        batch = [one for one in batch if one[0] not in told]
    return told


def main(folder: Path, answer: Path) -> int:
    """Load all that ``asked.json`` names and write what ran."""
    asked: list[tuple[str, list[str]]] = json.loads((folder / "asked.json").read_text())
    warm({way for _, ways in asked for way in ways})
    found: dict[str, str] = {}
    alone = [one for one in asked if not FOLLOWING.isdisjoint(one[1])]  # one may harm the next
    others = [one for one in asked if FOLLOWING.isdisjoint(one[1])]
    batches = [others[start : start + BATCH] for start in range(0, len(others), BATCH)]
    for batch in (*batches, *([one] for one in alone)):
        found |= batched(folder, batch)
    used = [resource.getrusage(w) for w in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    seconds = sum(one.ru_utime + one.ru_stime for one in used)
    answer.write_text(json.dumps({"ran": found, "seconds": seconds}))
    return 0


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]), Path(sys.argv[2])))
