"""What a program printed last is seldom why it failed."""

import pytest

from workers.builder.causes import MAX_CAUSE, cause

FRAMES = ['  File "/usr/lib/python3.13/json.py", line 2, in load', "    return it", "    ~~~^^"]
OURS = '  File "/build/bentoml/bentos/odd/1-ab/src/placet_model.py", line 9, in __init__'
THEIRS = '  File "/build/bentoml/bentos/odd/1-ab/src/lib/model.py", line 7, in load'
TRACEBACK = "2026-11-27T23:46:40+0000 [ERROR] [:1] Traceback (most recent call last):"
ENDED = ["", "2026-11-27T23:46:40+0000 [ERROR] [:1] Application startup failed. Exiting."]


@pytest.mark.parametrize(
    ("lines", "said"),
    [
        ([], ""),
        (["all is well", "Killed"], ""),
        (["ValueError: no", "and so on"], "ValueError: no"),
        ([TRACEBACK, *FRAMES, "lib.Gone: today", *ENDED], "lib.Gone: today"),
        ([TRACEBACK, OURS, THEIRS, *FRAMES, "Gone", *ENDED], "Gone (lib/model.py, line 7)"),
        ([TRACEBACK, THEIRS, OURS, *FRAMES, "Gone", *ENDED], "Gone"),
        (
            [TRACEBACK, *FRAMES, "ValueError: no", "  and more", "of it", *ENDED],
            "ValueError: no and more of it",
        ),
        (
            [
                TRACEBACK,
                *FRAMES,
                "KeyError: 1",
                "",
                "The above exception was the direct cause of the following exception:",
                "",
                TRACEBACK[-34:],
                *FRAMES,
                "ValueError: no",
                *ENDED,
            ],
            "ValueError: no",
        ),
        ([TRACEBACK, *FRAMES, "KeyError: 1", "", TRACEBACK, *FRAMES], ""),
        (
            [
                TRACEBACK,
                *FRAMES,
                "KeyError: 1",
                "",
                "If by path: 'Failed to import module \"placet_entry\": No module named 'a.b'",
                "Try it",
            ],
            "No module named 'a.b': name its package in the requirements; a module of your own "
            "comes along in an MLflow folder with code_paths, or in a BentoML project",
        ),
    ],
)
def test_the_cause_is_the_last_error(lines: list[str], said: str) -> None:
    assert cause(lines) == said


def test_a_cause_is_short() -> None:
    assert len(cause([TRACEBACK, THEIRS, "ValueError: " + "x" * 5000])) < MAX_CAUSE + 40
