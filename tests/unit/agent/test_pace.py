"""So many a second, and more after a pause; never more than that."""

from placet_agent.pace import Pace


def test_what_was_not_begun_may_be_begun_later_up_to_a_bound() -> None:
    now = [100.0]
    pace = Pace(2, 5, clock=lambda: now[0])
    assert [pace.take() for _ in range(6)] == [True] * 5 + [False]
    now[0] += 0.5
    assert [pace.take() for _ in range(2)] == [True, False]
    now[0] += 3600
    assert [pace.take() for _ in range(6)] == [True] * 5 + [False]
