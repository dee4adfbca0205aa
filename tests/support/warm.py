"""A Python that has imported what our commands need of others, and forks for each command.

Of ours nothing is imported before the fork: a command reads its own settings, ends and is killed
as a process of its own. Starting afresh, a third of a short command is those imports.
"""

import atexit
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from functools import cache
from pathlib import Path

LIBRARIES = (
    "celery",
    "cryptography.x509",
    "django.core.management",
    "django.db.models",
    "django.forms",
    "django.http",
    "django.urls",
    "markdown_it",
    "prometheus_client",
    "psycopg",
    "pydantic_settings",
    "requests",
    "sqlparse",
    "structlog",
    "yaml",
)
FORK = """
import importlib, json, os, runpy, sys
for name in sys.argv[1:]:
    importlib.import_module(name)
for line in sys.stdin:
    told = json.loads(line)
    child = os.fork()
    if not child:
        break
    print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), flush=True)
else:
    sys.exit()
for number, place in enumerate((os.devnull, told["out"], told["err"])):
    os.dup2(os.open(place, os.O_RDWR), number)
os.environ.clear()
os.environ.update(told["environment"])
os.chdir(told["folder"])
sys.path[:0] = os.environ.get("PYTHONPATH", "").split(":")
sys.argv = told["words"]
if sys.argv[0] == "-c":
    exec(sys.argv[1], {"__name__": "__main__"})
else:
    runpy.run_path(sys.argv[0], run_name="__main__")
"""


@cache
def _python() -> "subprocess.Popen[str]":
    """Start it, once; it ends with this process."""
    clean = {k: v for k, v in os.environ.items() if not k.startswith(("PLACET_", "DJANGO_"))}
    python = subprocess.Popen(
        [sys.executable, "-c", FORK, *LIBRARIES],
        env=clean,
        text=True,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    atexit.register(python.communicate)
    return python


def run(
    words: list[str], environment: Mapping[str, str], folder: Path
) -> "subprocess.CompletedProcess[str]":
    """Run a program of ours (``-c`` and text, or a file, and arguments) in ``folder``."""
    python = _python()
    assert python.stdin and python.stdout
    with tempfile.NamedTemporaryFile("r") as out, tempfile.NamedTemporaryFile("r") as err:
        told = {
            "words": words,
            "environment": dict(environment),
            "folder": str(folder),
            "out": out.name,
            "err": err.name,
        }
        print(json.dumps(told), file=python.stdin, flush=True)
        ended = int(python.stdout.readline())
        return subprocess.CompletedProcess(words, ended, out.read(), err.read())
