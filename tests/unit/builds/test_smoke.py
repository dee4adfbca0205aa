"""Judging what a service answered: equal, different, only started, or failed."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from workers.builder.smoke import judge, questions, read, same
from workers.builder.spec import BuildSpec

SPEC = BuildSpec(
    build="bld_1",
    project="prj_1",
    version="ver_1",
    model="churn",
    number=3,
    format="sklearn",
    artifact_digest="sha256:" + "0" * 64,
    files=(),
    signature={"inputs": [{"name": "age", "type": "long"}]},
    example=[{"age": 1}, {"age": 2}],
    expected=[0.5, 1],
)
REFUSED = (400, "{}")


def answers(*predictions: Any, one: Any = 0.5) -> list[Any]:
    """Return the answers of a service that predicts these."""
    many = json.dumps({"predictions": list(predictions)})
    return [REFUSED, (200, many), (200, json.dumps({"prediction": one}))]


def result(spec: BuildSpec, given: list[Any]) -> tuple[str, int]:
    """Judge and return the word and the number of equal rows."""
    smoke = judge(spec, given, "bwrap", 1.0)
    return smoke.result, smoke.equal


def test_equal_within_a_millionth() -> None:
    assert result(SPEC, answers(0.5000000001, 1.0)) == ("equal", 2)


def test_a_different_row_is_named() -> None:
    smoke = judge(SPEC, answers(0.5, 2), "bwrap", 1.0)
    assert (smoke.result, smoke.equal) == ("different", 1)
    assert smoke.detail == "Row 1 is 2, expected 1"


def test_one_bare_row_must_agree_too() -> None:
    assert result(SPEC, answers(0.5, 1, one=0.7)) == ("different", 2)


def test_without_expected_outputs_it_only_starts() -> None:
    assert result(replace(SPEC, expected=None), answers(0.5, 1)) == ("starts", 0)


def test_without_an_example_it_is_asked_the_bad_row_alone() -> None:
    bare = replace(SPEC, example=None, expected=None)
    assert len(questions(bare)) == 1
    assert result(bare, [REFUSED]) == ("starts", 0)


def test_an_api_of_its_own_is_asked_row_by_row() -> None:
    own = replace(SPEC, format="bentoml", signature={"inputs": [], "api": "greet"})
    assert questions(own) == [("/greet", {"age": 1}), ("/greet", {"age": 2})]
    assert result(own, [(200, "0.5"), (200, "1")]) == ("equal", 2)
    assert result(own, [(200, "0.5"), (200, "3")]) == ("different", 1)
    assert result(own, [(200, "0.5"), (422, "{}")]) == ("failed", 0)
    assert result(own, [(200, "0.5"), (200, "no JSON")]) == ("failed", 0)
    assert result(replace(own, expected=None), [(200, "0.5"), (200, "1")]) == ("starts", 0)
    assert result(replace(own, example=None, expected=None), []) == ("starts", 0)
    assert questions(replace(own, signature=None))[0][0] == "/predict"


@pytest.mark.parametrize(
    ("slim", "same", "says"),
    [
        (None, False, "never became ready"),
        ({"ready": False, "seconds": 9.0, "answers": []}, False, "never became ready"),
        ({"ready": True, "seconds": 0.31, "answers": [[200, "1"]]}, True, "ready after 0.3 s"),
        ({"ready": True, "seconds": 0.31, "answers": [[200, "1 "]]}, False, "answers otherwise"),
        ({"ready": True, "seconds": 0.31, "answers": []}, False, "answers otherwise"),
    ],
)
def test_slim_is_what_answers_the_same_byte_for_byte(
    tmp_path: Path, slim: object, same: bool, says: str
) -> None:
    report = {"ready": True, "seconds": 1.0, "answers": [[200, "1"]], "slim": slim}
    (tmp_path / "answers.json").write_text(json.dumps(report))
    found = read(tmp_path / "answers.json")
    assert found is not None
    assert (found.answers_slim, says in found.says_of_slim) == (same, True)


def test_a_report_inside_itself_over_and_over_is_read_once(tmp_path: Path) -> None:
    """Code of a version may have written it."""
    report = '{"ready":true,"seconds":1.0,"answers":[],"slim":'
    (tmp_path / "answers.json").write_text(report * 900 + "null" + "}" * 900)
    found = read(tmp_path / "answers.json")
    assert found is not None and found.slim is not None
    assert found.slim.slim is None


@pytest.mark.parametrize(
    "given",
    [
        [],
        [(500, "oops"), (200, "{}"), (200, "{}")],
        [(200, '{"predictions": [1]}'), *answers(0.5, 1)[1:]],
        [REFUSED, (500, "oops"), (200, "{}")],
        [REFUSED, (200, "not json"), (200, "{}")],
        [REFUSED, (200, '{"predictions": [1]}'), (200, '{"prediction": 1}')],
        [REFUSED, (0, "URLError"), (0, "URLError")],
    ],
)
def test_a_service_that_does_not_answer_as_it_must_has_failed(given: list[Any]) -> None:
    assert result(SPEC, given)[0] == "failed"


@pytest.mark.parametrize(
    ("given", "expected", "equal"),
    [
        (1, 1.0, True),
        (True, 1, True),
        (True, False, False),
        ("a", "a", True),
        ("1", 1, False),
        ([1, 2], [1, 2], True),
        ([1], [1, 2], False),
        ({"a": 1}, {"a": 1.0}, True),
        ({"a": 1}, {"b": 1}, False),
        ({"a": 1}, 1, True),
        (1, {"a": 1}, True),
        (None, None, True),
        (None, 0, False),
        (0.0, 1e-12, True),
    ],
)
def test_outputs_are_compared_by_meaning(given: Any, expected: Any, equal: bool) -> None:
    assert same(given, expected) is equal
