"""What a reviewer sees beside what is live."""

from apps.registry.comparison import (
    ValueChange,
    changes,
    column_kinds,
    requirement_versions,
)


def test_numbers_carry_their_difference_and_words_do_not() -> None:
    found = changes(
        {"auc": 0.75, "old": 1, "note": "a", "same": 2},
        {"auc": 1, "note": "b", "same": 2, "new": True},
    )
    assert found == [
        ValueChange("auc", 0.75, 1, "changed", 0.25),
        ValueChange("new", None, True, "added"),
        ValueChange("note", "a", "b", "changed"),
        ValueChange("old", 1, None, "removed"),
        ValueChange("same", 2, 2, "same", 0.0),
    ]


def test_one_and_true_are_not_the_same() -> None:
    assert changes({"a": 1}, {"a": True})[0].state == "changed"


def test_columns_are_told_with_type_shape_and_whether_they_may_be_missing() -> None:
    signature = {
        "inputs": [
            {"name": "a", "type": "double"},
            {"name": "b", "type": "float", "shape": [3], "required": False},
        ]
    }
    assert column_kinds(signature, "inputs") == {"a": "double", "b": "float [3] (optional)"}
    assert column_kinds(None, "inputs") == {}


def test_requirements_are_compared_by_package() -> None:
    assert requirement_versions(["Scikit_Learn==1.7", "pandas[x]>=2", "numpy"]) == {
        "scikit-learn": "==1.7",
        "pandas": "[x]>=2",
        "numpy": "",
    }
