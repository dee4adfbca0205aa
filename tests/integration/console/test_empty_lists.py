"""An empty list says that there is nothing to who sees all, and to others that they see none."""

import pytest
from django.test import Client

from tests.support.factories import browser, person, project
from tests.support.page_text import text_of
from tests.support.world import World

pytestmark = pytest.mark.django_db
ROLES = {
    "admin": {"admin": None},
    "operator": {"operator": None},
    "contributor": {"contributor": None},
    "member": {},  # of one project alone
    "nobody": {},  # who has no role
}
BEGIN = "Open a built version and request one."
OTHERS = "Listed are those of projects in which you have a role that shows them."
NO_ROLE = "You have no project role yet: ask an access administrator for one."
HIDDEN = "Your roles do not show"


def shown(path: str, who: str, world: World) -> str:
    """Return what somebody reads where nothing is listed."""
    void = project("void")
    somebody = person("Sam", {"viewer": void} if who == "member" else ROLES[who])
    page = browser(somebody).get(path)
    assert page.status_code == 200
    return " ".join(text_of(page.content.decode()).split())


@pytest.mark.parametrize(
    ("path", "who", "says", "not_said"),
    [
        ("/models/", "admin", f"No models that you may see {HIDDEN} models.", "yet"),
        ("/models/?project=void", "admin", "No models that you may see in Void", "Contributors"),
        ("/models/", "operator", "No models yet Contributors of a project register", HIDDEN),
        ("/models/", "member", "No models that you may see Contributors of a project", "yet"),
        ("/models/", "member", OTHERS, HIDDEN),
        ("/models/?project=void", "member", "No models in Void yet", OTHERS),
        ("/releases/", "admin", f"No releases that you may see {HIDDEN} releases.", BEGIN),
        ("/releases/?project=void", "admin", "No releases that you may see in this", "yet"),
        ("/releases/", "contributor", f"No releases yet {BEGIN}", HIDDEN),
        ("/releases/", "operator", "No releases yet Contributors of a project request", BEGIN),
        ("/releases/", "member", OTHERS, BEGIN),
        ("/releases/?project=void", "member", "No releases in this project yet", BEGIN),
        ("/endpoints/", "admin", f"Nothing that you may see serves yet {HIDDEN}", "built version"),
        ("/endpoints/", "operator", "Nothing serves yet An endpoint is made", "built version"),
        ("/endpoints/", "contributor", "Open a built version and ask for a release.", HIDDEN),
        ("/endpoints/?project=void", "member", "Nothing serves in this project yet", OTHERS),
        ("/search/?q=zzz", "operator", "Nothing found for zzz", "may see"),
        ("/search/?q=zzz", "member", "Nothing that you may see found for zzz", "Nothing found"),
        (
            "/search/?q=zzz",
            "member",
            "Projects in which you have no role are not searched",
            "role yet",
        ),
        (
            "/search/?q=zzz",
            "nobody",
            f"{NO_ROLE} Until then the docs alone are searched",
            "in which",
        ),
        ("/search/", "nobody", NO_ROLE, "in which"),
        ("/inbox/", "nobody", f"Nothing waits for you {NO_ROLE}", "caught up"),
        ("/inbox/", "member", "You're all caught up", "role yet"),
        ("/alerts/", "nobody", f"{NO_ROLE} No alert that you may see is open", "in which"),
        ("/alerts/", "member", "No alert that you may see is open", "role yet"),
        ("/targets/", "nobody", "No targets that you may see A target is a host", "Operators"),
        ("/targets/", "nobody", NO_ROLE, "Operators"),
        ("/duties/", "nobody", f"Not visible to you {NO_ROLE} Auditors and", "No environments"),
        ("/duties/", "member", "Not visible to you Auditors and", "role yet"),
        ("/targets/", "admin", f"may use each. {HIDDEN} targets.", "Operators"),
    ],
)
def test_an_empty_list_says_what_is_so_for_its_reader(
    world: World, path: str, who: str, says: str, not_said: str
) -> None:
    page = shown(path, who, world)
    assert says in page
    assert not not_said or not_said not in page


@pytest.mark.parametrize(("who", "says"), [("nobody", True), ("member", False)])
def test_a_page_that_is_not_there_says_to_who_has_no_role_who_gives_one(
    world: World, who: str, says: bool
) -> None:
    void = project("void")
    somebody = person("Sam", {"viewer": void} if who == "member" else ROLES[who])
    page = browser(somebody).get("/projects/risk/")
    assert page.status_code == 404
    assert (NO_ROLE in " ".join(text_of(page.content.decode()).split())) is says


def test_who_is_not_signed_in_is_not_told_that_they_have_no_role(client: Client) -> None:
    answer = client.get("/nowhere/at/all", follow=True)
    assert NO_ROLE not in answer.content.decode()
