"""What a program is told that writes a serving configuration in a wrong shape."""

from typing import Any

import pytest

from apps.governance.plan import DocumentFault
from tests.support.documents import serving_document


def faults(**serving: Any) -> dict[str, str]:
    with pytest.raises(DocumentFault) as refused:
        serving_document(serving)
    return dict(refused.value.faults)


@pytest.mark.parametrize(
    ("value", "says"),
    [
        (0.4, 'must be a text: write "0.4"'),
        (7, 'must be a text: write "7"'),
        (True, 'must be a text: write "true"'),
        (None, "must be a text"),
        (["a"], "must be a text"),
    ],
)
def test_a_value_that_is_no_text_is_shown_as_one(value: Any, says: str) -> None:
    found = faults(variables={"THRESHOLD": value, "MODE": "fine", "path": "x"})
    assert found.pop("/serving/variables/THRESHOLD") == says
    assert list(found) == ["/serving/variables/path"], "what else is wrong is said too"


@pytest.mark.parametrize("value", [["THRESHOLD"], "THRESHOLD=1", None, 1])
def test_variables_are_an_object(value: Any) -> None:
    assert faults(variables=value) == {"/serving/variables": 'must be an object {"NAME": "value"}'}


def test_all_numbers_that_are_wrong_are_said_at_once() -> None:
    assert faults(replicas=0, max_replicas="two", memory_mb=1) == {
        "/serving/replicas": "must be a whole number from 1 to 64",
        "/serving/max_replicas": "must be a whole number from 1 to 64",
        "/serving/memory_mb": "must be a whole number from 64 to 1048576",
    }
    assert list(faults(replicas=0)) == ["/serving/replicas"]
    assert faults(replicas=3, max_replicas=2) == {
        "/serving/max_replicas": "must be a whole number from 3 to 64"
    }


@pytest.mark.parametrize(
    ("serving", "pointer", "says"),
    [
        ({"target_inflight": 0}, "target_inflight", "must be a whole number from 1 to 1000"),
        ({"target_inflight": "4"}, "target_inflight", "must be a whole number from 1 to 1000"),
        ({"target_inflight": True}, "target_inflight", "must be a whole number from 1 to 1000"),
        (
            {"min_replicas": 1},
            "min_replicas",
            "needs target_inflight: without it nothing is scaled",
        ),
        (
            {"target_inflight": None, "min_replicas": 1},
            "min_replicas",
            "needs target_inflight: without it nothing is scaled",
        ),
        (
            {"replicas": 2, "target_inflight": 4, "min_replicas": 3},
            "min_replicas",
            "must be a whole number from 0 to 2",
        ),
        (
            {"target_inflight": 4, "min_replicas": "x"},
            "min_replicas",
            "must be a whole number from 0 to 1",
        ),
    ],
)
def test_what_says_how_it_scales_is_refused_by_its_name(
    serving: dict[str, Any], pointer: str, says: str
) -> None:
    assert faults(**serving) == {f"/serving/{pointer}": says}


def test_what_says_how_it_scales_is_judged_beside_what_else_is_wrong() -> None:
    assert list(faults(replicas=0, target_inflight=0, min_replicas=65)) == [
        "/serving/replicas",
        "/serving/target_inflight",
        "/serving/min_replicas",
    ]
    assert list(faults(replicas=0, target_inflight=0, min_replicas=2)) == [
        "/serving/replicas",
        "/serving/target_inflight",
    ], "it may be right once those are"


def test_what_says_how_it_scales_is_written_where_it_is_said_and_nowhere_else() -> None:
    members = {"replicas": 2, "max_replicas": 8, "target_inflight": 4}
    assert serving_document(members)["target_inflight"] == 4
    assert "min_replicas" not in serving_document(members)
    assert serving_document(members | {"min_replicas": 1})["min_replicas"] == 1
    none = {"target_inflight": None, "min_replicas": None}
    assert serving_document(none) == serving_document({})
    assert not {*none} & {*serving_document({})}


@pytest.mark.parametrize(
    ("egress", "pointer", "says"),
    [
        ("db:1", "", 'must be a list of texts: ["host:port"]'),
        (["db:1"] * 33, "", "33 are too many, 32 at most"),
        ([None], "/0", "null: write it as host:port"),
        ([{"a": 1}], "/0", '{"a": 1}: write it as host:port'),
        (["fe80::1:80"], "/0", "'fe80::1:80': an IPv6 address goes in brackets: [fe80::1]:80"),
        (["a b:1"], "/0", "'a b:1': write it as host:port"),
    ],
)
def test_a_destination_is_shown_as_it_was_written(egress: Any, pointer: str, says: str) -> None:
    ((at, detail),) = faults(egress=egress).items()
    assert at == f"/serving/egress{pointer}"
    assert detail.startswith(says)
