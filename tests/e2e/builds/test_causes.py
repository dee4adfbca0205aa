"""A build that failed says why: the error itself, in one sentence."""

import pickle
from collections.abc import Callable
from typing import Any

import pytest

from tests.e2e.builds.test_bad_versions import build, version
from tests.e2e.builds.test_bento_project import SERVICE, project
from tests.support.factories import ApiClient
from tests.support.models import SHARED, Trained

pytestmark = [pytest.mark.e2e]
START = b"""class Greeter:
    def __init__(self) -> None:
        try:
            {}["weights"]
        except KeyError as error:
            raise Gone("the weights are\\n  too old") from error
"""
RAISES = b"class Gone(Exception): pass\n" + SERVICE.replace(b"class Greeter:\n", START)


@pytest.mark.parametrize(
    ("trained", "error"),
    [
        (
            version(pickle.dumps(1), requirements=[*SHARED, "no-such-package-of-placet==1.0"]),
            "The requirements cannot be resolved: Because no-such-package-of-placet was not found "
            "in the package registry and you require no-such-package-of-placet==1.0, we can "
            "conclude that your requirements are unsatisfiable.",
        ),
        (
            version(b"\x80\x04\x8c\x0anot_a_lib1\x8c\x05Model\x93)R."),
            "The service never became ready: ModuleNotFoundError: No module named 'not_a_lib1': "
            "name its package in the requirements; a module of your own comes along in an MLflow "
            "folder with code_paths, or in a BentoML project",
        ),
        (
            version(pickle.dumps(7)),
            "The service never became ready: TypeError: model.pkl holds a value of the type int, "
            "which cannot predict: save a fitted estimator",
        ),
        (
            project(b"import nothing_there\n" + SERVICE),
            "bentoml build failed: No module named 'nothing_there': name its package in the "
            "requirements; a module of your own comes along in an MLflow folder with code_paths, "
            "or in a BentoML project",
        ),
        (
            project(b"def broken(:\n" + SERVICE),
            "bentoml build failed: SyntaxError: invalid syntax (service.py, line 1)",
        ),
        (
            project(RAISES),
            "The service never became ready: service.Gone: the weights are too old "
            "(service.py, line 16)",
        ),
        (
            project(SERVICE.replace(b"return {", b"raise OSError('no word')\n        return {")),
            "The example was not predicted: OSError: no word (service.py, line 13)",
        ),
    ],
    ids=["requirement", "module", "integer", "import", "syntax", "start", "prediction"],
)
def test_the_error_of_a_build_is_its_cause(
    ada: ApiClient, run_jobs: Callable[..., int], trained: Trained, error: str
) -> None:
    ended: Any = build(ada, trained, run_jobs)
    assert (ended["state"], ended["error"]) == ("failed", error)
