"""Pages of long lists."""

import pytest

from apps.console.queries.paging import newest
from apps.identity.models import Project
from tests.support import factories

pytestmark = pytest.mark.django_db


def test_pages_of_the_newest_hold_every_row_once() -> None:
    for name in "abcde":
        factories.project(name)
    every = list(Project.objects.order_by("-pk"))
    first, key = newest(Project.objects.all(), "no id", 2)
    second, further = newest(Project.objects.all(), key, 2)
    third, end = newest(Project.objects.all(), further, 2)
    assert [len(page) for page in (first, second, third)] == [2, 2, 1]
    assert (first + second + third, end) == (every, "")
    assert newest(Project.objects.all(), "", 5) == (every, "")
