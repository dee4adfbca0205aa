"""Projects, their members and people on the pages: who makes them, who sees them, who does not."""

import re
from typing import Any

import pytest

from apps.audit.actions import record
from apps.audit.kind_groups import GROUPS
from apps.builds.events import BUILD_FAILED
from apps.console.queries.activity import SHOWN
from apps.console.queries.object_names import Named, object_names
from apps.console.queries.projects import project_rows
from apps.governance.models import Environment, PolicyRevision
from apps.governance.queries.deciders import deciders, with_deciders
from apps.identity.actions import create_person, delete_team
from apps.identity.models import Project, RoleBinding, User
from apps.identity.rules import PERMISSIONS
from apps.integrations.actions import add_webhook
from apps.integrations.rules import WebhookTerms
from apps.registry.events import UPLOAD_STARTED
from placet.kernel.actor import SYSTEM
from tests.support import factories
from tests.support.factories import actor_of, api, browser, grow_old, token_for
from tests.support.story import Story
from tests.support.world import World

pytestmark = pytest.mark.django_db
FORM = {"name": "Clinic", "slug": "clinic", "description": "Triage", "template": "regulated"}


@pytest.fixture
def admin() -> User:
    return factories.person("Ann", {"admin": None})


def page(who: User, path: str, status: int = 200) -> str:
    answer = browser(who).get(path)
    assert answer.status_code == status, path
    return str(answer.content.decode())


def sent(who: User, path: str, /, **data: Any) -> str:
    """Send a form and return what the page says after it."""
    answer = browser(who).post(path, {"next": "/projects/", **data}, follow=True)
    assert answer.status_code == 200
    return str(answer.content.decode())


def test_an_administrator_makes_a_project_with_regulated_policies_and_a_quota(admin: User) -> None:
    assert "Clinic is there. Give people roles in it." in sent(
        admin, "/projects/new", **FORM, quota="1.5"
    )
    made = Project.objects.get(slug="clinic")
    assert (made.name, made.description, made.artifact_quota) == ("Clinic", "Triage", 1_500_000_000)
    policy = PolicyRevision.objects.get(project=made, environment__name="production")
    asked = [g["kind"] for g in policy.document["gates"] if g["gate"] == "evidence"]
    assert "fairness" in asked
    listed = page(admin, "/projects/")
    assert '<a href="/projects/clinic/">Clinic</a>' in listed
    assert "Triage" in listed


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"slug": "Not A Slug"}, "slug: Small letters, digits and hyphens"),
        ({"slug": "taken"}, "slug: It is taken"),
        ({"template": "lax"}, "template: One of internal, customer-facing, regulated"),
        ({"quota": "much"}, "quota: Give a number of GB, such as 20 or 1.5"),
        ({"quota": "9999999"}, "A number of bytes from 0 (no limit)"),
        ({"name": ""}, "name: "),
    ],
)
def test_a_refused_project_is_shown_as_it_was_typed_and_is_not_there(
    admin: User, change: dict[str, str], says: str
) -> None:
    factories.project("taken")
    typed = {**FORM, "quota": "20", **change}
    shown = sent(admin, "/projects/new", **typed)
    assert says in shown
    assert ">Triage</textarea>" in shown
    assert f'value="{typed["slug"]}"' in shown
    assert not Project.objects.filter(slug="clinic").exists()


def test_a_project_puts_policies_in_force_and_takes_a_fresh_session(admin: User) -> None:
    client = browser(admin)
    grow_old(client)
    answer = client.post("/projects/new", {**FORM, "next": "/projects/"})
    assert answer["Location"].startswith("/accounts/reauthenticate/")
    assert not Project.objects.filter(slug="clinic").exists()


def test_a_token_makes_projects_with_the_usual_policies_alone(admin: User) -> None:
    program, made = api(token_for(admin)), {"name": "Clinic", "slug": "clinic"}
    for template in ("internal", "regulated"):
        refused = program.post("/projects", made | {"template": template})
        assert (refused.status_code, refused.json()["code"]) == (403, "needs_session")
        [error] = refused.json()["errors"]
        assert error["pointer"] == "/template"
        assert "may only use customer-facing" in error["detail"]
    assert not Project.objects.exists()
    assert program.post("/projects", made | {"template": "customer-facing"}).status_code == 201
    assert program.post("/projects", made | {"slug": "other"}).status_code == 201


def test_who_looks_after_one_environment_is_told_truly_whose_roles_they_see(admin: User) -> None:
    risk = factories.project("risk")
    factories.person("Ada", {"contributor": risk})
    eve = factories.person("Eve", {"auditor": (risk, "production")})
    shown = page(eve, "/projects/risk/members/")
    assert "Ada" in shown
    assert "You see your own roles" not in shown
    vic = factories.person("Vic", {"viewer": (risk, "production")})
    shown = page(vic, "/projects/risk/members/")
    assert "Ada" not in shown
    assert "You see your own roles" in shown


def test_who_may_not_make_one_is_told_whom_to_ask(admin: User) -> None:
    nobody = factories.person("Ned")
    assert "Ask an administrator for a project, or for a role in one." in page(nobody, "/projects/")
    member = factories.person("Mia", {"contributor": factories.project("risk")})
    shown = page(member, "/projects/")
    assert "Ask an administrator for a project." in shown
    assert "new-project" not in shown
    refused = sent(member, "/projects/new", **FORM)
    assert "This needs &quot;Create projects&quot;" in refused
    assert not Project.objects.filter(slug="clinic").exists()


def test_an_administrator_gives_people_teams_and_programs_roles_and_takes_them_away(
    admin: User,
) -> None:
    risk, ada = factories.project("risk"), factories.person("Ada")
    factories.team("Reviewers", ada)
    factories.service_account("ci", owner=ada)
    add = "/projects/risk/members/add"
    said = sent(admin, add, who=" ADA@example.com ", role="approver", environment="production")
    assert "Ada is approver in Risk / production." in said
    sent(admin, add, who="Reviewers", role="reviewer")
    sent(admin, add, who="ci", role="contributor")
    shown = page(admin, "/projects/risk/members/")
    for part in (f'href="/people/{ada.pk}/"', "Approver · production", "team of 1 person"):
        assert part in shown
    assert "service account" in shown
    held = RoleBinding.objects.get(project=risk, role="approver")
    assert (held.person, held.environment) == (ada, "production")
    said = sent(admin, f"/projects/risk/members/{held.pk}/remove", sure="1")
    assert "Removed from Ada: approver · Risk / production." in said
    assert not RoleBinding.objects.filter(pk=held.pk).exists()


def test_a_member_is_found_by_their_name_in_letters_of_any_size(admin: User) -> None:
    factories.project("risk")
    dana, add = factories.person("Dana Devlin"), "/projects/risk/members/add"
    assert "Dana Devlin is viewer in Risk" in sent(admin, add, who="dana devlin", role="viewer")
    small = create_person(email="small@example.com", name="dana devlin", actor=SYSTEM)
    assert "More than one is called so" in sent(admin, add, who="DANA DEVLIN", role="reviewer")
    sent(admin, add, who="dana devlin", role="contributor")
    held = dict(RoleBinding.objects.exclude(project=None).values_list("role", "person"))
    assert held == {"viewer": dana.pk, "contributor": small.pk}, "who is spelt so is meant"


@pytest.mark.parametrize(
    ("typed", "says"),
    [
        (
            {"who": "eve@example.com", "role": "viewer"},
            "No person, team or service account with",
        ),
        ({"who": "ada@example.com", "role": "king"}, "role: One of viewer"),
        ({"who": "ada@example.com", "role": "viewer"}, "already"),
        ({"who": "twin", "role": "viewer"}, "More than one is called so"),
        ({"who": "Ned", "role": "viewer"}, "More than one is called so"),
        ({"who": "ned", "role": "viewer"}, "More than one is called so"),
        ({"who": "nedd", "role": "viewer"}, "No person, team or service account"),
    ],
)
def test_a_refused_member_is_shown_as_they_were_typed(
    admin: User, typed: dict[str, str], says: str
) -> None:
    ada = factories.person("Ada", {"viewer": factories.project("risk")})
    factories.team("twin")
    factories.service_account("twin", owner=ada)
    for name in ("Ned", "Ned 2"):
        ned = factories.person(name)
        User.objects.filter(pk=ned.pk).update(name="Ned")
    shown = sent(admin, "/projects/risk/members/add", **typed)
    assert says in shown
    assert f'value="{typed["who"]}"' in shown


def test_a_person_is_added_by_a_name_that_they_alone_have(admin: User) -> None:
    """And not by an address that somebody bears as their name."""
    risk, nora = factories.project("risk"), factories.person("Nora New")
    sent(admin, "/projects/risk/members/add", who="Nora New", role="viewer")
    assert RoleBinding.objects.get(project=risk).person == nora
    User.objects.filter(pk=nora.pk).update(name="boss@example.com")
    said = sent(admin, "/projects/risk/members/add", who="boss@example.com", role="approver")
    assert "No person, team or service account with" in said
    assert not RoleBinding.objects.filter(role="approver").exists()


def test_nobody_gives_a_role_to_themselves_or_in_a_stale_session(admin: User) -> None:
    factories.project("risk")
    factories.person("Ada")
    add = "/projects/risk/members/add"
    assert "own access" in sent(admin, add, who=admin.email, role="approver")
    client = browser(admin)
    grow_old(client)
    for who in ("ada@example.com", "nobody@example.com"):  # nor learns who has an account
        answer = client.post(add, {"who": who, "role": "viewer", "next": "/"})
        assert answer["Location"].startswith("/accounts/reauthenticate/")
    assert not RoleBinding.objects.exclude(person=admin).exists()


def test_settings_and_administration_lead_to_webhooks(admin: User) -> None:
    factories.project("risk")
    for path in ("/projects/risk/settings/", "/administration/instance/"):
        main = page(admin, path).partition("<main")[2]
        assert main.count('href="/webhooks/"') == 1, path


def test_the_settings_change_what_was_read_and_not_what_another_wrote_since(admin: User) -> None:
    risk = factories.project("risk")
    save = "/projects/risk/settings/save"
    shown = page(admin, "/projects/risk/settings/")
    assert f'name="version" value="{risk.version}"' in shown
    new = {"name": "Credit", "description": "Loans", "quota": "0.5", "version": str(risk.version)}
    assert "Saved." in sent(admin, save, **new)
    risk.refresh_from_db()
    assert (risk.name, risk.description, risk.artifact_quota) == ("Credit", "Loans", 500_000_000)
    assert 'value="0.5"' in page(admin, "/projects/risk/settings/")
    late = sent(admin, save, **{**new, "name": "Other"})
    assert 'role="alert"' in late
    assert 'value="Other"' in late
    risk.refresh_from_db()
    assert risk.name == "Credit"


def test_an_overview_says_what_there_is_and_where_it_is_live(world: World) -> None:
    release = world.live()
    world.request("staging", world.bento(world.version()), endpoint="waits")
    shown = page(world.people["Ada"], "/projects/risk/")
    for part in (
        "/models/risk/churn/",
        f"/releases/{release.pk}/",
        f"/endpoints/{release.endpoint_id}/",
        "/projects/risk/environments/production/",
        "/policies/risk/production/",
    ):
        assert part in shown
    assert "Settings" not in shown


def test_an_overview_without_models_leads_to_the_first_who_can_make_it() -> None:
    risk = factories.project("risk")
    ada = factories.person("Ada", {"contributor": risk})
    said = page(ada, "/projects/risk/")
    assert 'href="/models/?project=risk">Register a model…</a>' in said
    assert 'data-dialog="new-model"' in page(ada, "/models/?project=risk")
    told = page(factories.person("Vi", {"viewer": risk}), "/projects/risk/")
    assert "Register a model…" not in told
    assert "A contributor of the project can register one." in told


def test_who_looks_after_access_alone_sees_no_model_and_no_policy(
    world: World, admin: User
) -> None:
    release = world.live()
    shown = page(admin, "/projects/risk/")
    assert "You look after access here" in shown
    assert release.pk not in shown + page(admin, "/projects/risk/activity/")
    place = page(admin, "/projects/risk/environments/production/")
    assert "policy r" not in place
    assert release.endpoint_id not in place


def test_an_environment_says_what_stands_between_a_release_and_it(world: World) -> None:
    release = world.live("development")
    ada = world.people["Ada"]
    shown = page(ada, "/projects/risk/environments/development/")
    for part in ("policy r", "/targets/local/", f"/endpoints/{release.endpoint_id}/"):
        assert part in shown
    shown = page(ada, "/projects/risk/environments/production/")
    assert "One approver" in shown
    assert release.endpoint_id not in shown
    page(ada, "/projects/risk/environments/nowhere/", 404)


def test_the_activity_is_what_its_reader_sees_and_for_auditors_all(world: World) -> None:
    release = world.live()
    ada, eve = world.people["Ada"], factories.person("Eve", {"auditor": None})
    factories.grant(factories.person("Late"), {"viewer": world.project})
    shown = page(ada, "/projects/risk/activity/")
    assert f"Release {release.number}" in shown
    assert "the role viewer" not in shown
    assert "/audit/?project=" not in shown
    assert "Not visible to you: events about roles," in shown
    everything = page(eve, "/projects/risk/activity/")
    assert f"/audit/?project={world.project.pk}" in everything
    assert "Events of this project:" in everything
    assert "Every event" not in everything and "Not visible to you" not in everything
    assert "the deletion of a team, which ends its roles here" in " ".join(everything.split())
    assert "the role viewer" in everything


def test_who_audits_one_environment_reads_of_no_webhook_nor_role_of_its_project(
    world: World,
) -> None:
    factories.grant(factories.person("Late"), {"viewer": world.project})
    add_webhook(
        name="hook",
        terms=WebhookTerms("https://hooks.example/in"),
        project=world.project,
        actor=SYSTEM,
    )
    paul = factories.person("Paul", {"auditor": (world.project, "staging")})
    shown = page(paul, "/projects/risk/activity/")
    assert "Not visible to you: events about roles, erasures, log forwarding and webhooks" in shown
    assert "webhook hook" not in shown and "Added a webhook" not in shown
    assert "the role viewer" not in shown


def test_a_team_that_is_gone_is_named_to_who_may_know_whom_an_event_is_about(world: World) -> None:
    crew = factories.team("Crew", roles={"reviewer": world.project})
    delete_team(crew, actor=SYSTEM)
    eve, lone = (
        factories.person(name, {"auditor": where})
        for name, where in (("Eve", None), ("Lone", world.project))
    )
    for reader in (eve, lone):
        shown = page(reader, "/projects/risk/activity/")
        assert "Gave Crew (deleted team) the role reviewer" in shown
        assert f"/administration/teams/{crew.pk}/" not in shown
    assert "Crew" not in page(world.people["Ada"], "/projects/risk/activity/")
    gone = object_names([], factories.actor_of(eve), actors=["tem_archived"])
    assert gone["tem_archived"] == Named("a deleted team")


def test_the_activity_names_what_each_event_is_about_and_is_narrowed(world: World) -> None:
    release = world.live()
    ada, path = world.people["Ada"], "/projects/risk/activity/"
    shown = page(ada, path)
    version = f"{release.version.model.name}:{release.version.number}"
    said = f"release {release.number} of {version} at {release.endpoint.name}"
    assert f'href="/releases/{release.pk}/" >{said}</a>' in " ".join(shown.split())
    assert f'href="/endpoints/{release.endpoint_id}/"' in shown
    narrowed = page(ada, f"{path}?group=serving")
    assert "Requested release" in shown and "Requested release" not in narrowed
    assert f"/endpoints/{release.endpoint_id}/" in narrowed
    assert "Nothing was listed" in page(ada, f"{path}?group=nonsense", 400)


def test_the_activity_has_uploads_builds_and_rollouts_for_members_too(story: Story) -> None:
    release = story.lived()
    version, ada = release.version, story.people["Ada"]
    with record(SYSTEM) as log:
        log.add(BUILD_FAILED, version.builds.first() or version, data={"step": "lock"})
        log.add(UPLOAD_STARTED, subject="upl_1", project=version.project_id, data={"size": 9})
    shown = page(ada, f"/projects/{story.world.project.slug}/activity/")
    for sentence in ("A build failed at lock", "Started an upload of 9 bytes", "Started rolling"):
        assert sentence in shown
    serving = page(ada, f"/projects/{story.world.project.slug}/activity/?group=serving")
    assert "Started rolling" in serving and "A build failed" not in serving


def test_the_activity_goes_back_page_by_page_to_the_first_event(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    world.live()
    monkeypatch.setattr("apps.console.queries.activity.PAGE", 4)
    for who in (world.people["Ada"], factories.person("Eve", {"auditor": None})):
        path, places, pages = "/projects/risk/activity/", list[int](), 0
        while path:
            shown = page(who, path)
            places += [int(n) for n in re.findall(r"event #([0-9]+)", shown)]
            older = re.search(r'href="(\?before=[0-9]+)"', shown)
            path = f"/projects/risk/activity/{older[1]}" if older else ""
            pages += 1
        assert pages > 2
        assert places == sorted(set(places), reverse=True)
        assert "Created the project" in shown


def test_every_event_of_a_project_is_for_somebody_who_sees_what_it_is_about() -> None:
    families = [family for shown in SHOWN for family in shown.families]
    assert len(families) == len(set(families))
    assert set(families) <= {family for group in GROUPS.values() for family in group.families}
    assert {shown.permission for shown in SHOWN} <= PERMISSIONS


def test_a_tenant_next_door_sees_nothing_of_a_project(world: World) -> None:
    world.live()
    stranger = factories.person("Sid", {"approver": factories.project("other")})
    binding = RoleBinding.objects.filter(project=world.project).earliest("pk")
    for path in ("", "members/", "activity/", "settings/", "environments/production/"):
        page(stranger, f"/projects/risk/{path}", 404)
    for path in ("members/add", f"members/{binding.pk}/remove", "settings/save"):
        assert browser(stranger).post(f"/projects/risk/{path}").status_code == 404
    assert "Risk" not in page(stranger, "/projects/")
    assert "Risk" not in page(stranger, "/search/?q=risk").split("<main")[1].split("Nothing")[-1]
    page(stranger, f"/people/{world.people['Vera'].pk}/", 404)
    own = page(stranger, f"/people/{stranger.pk}/")
    assert "Other" in own
    assert "Risk" not in own


def test_a_person_is_shown_to_access_administrators_auditors_and_themselves(
    world: World, admin: User
) -> None:
    release = world.request("staging")
    world.decide(release, world.rex)
    rex, eve = world.people["Rex"], factories.person("Eve", {"auditor": None})
    factories.token_for(rex)
    for reader, tokens in ((rex, False), (eve, False), (admin, True)):
        shown = page(reader, f"/people/{rex.pk}/")
        assert "Reviewer" in shown
        assert '<a href="/projects/risk/">Risk</a>' in shown
        assert ("1 token in force" in shown) == tokens
        assert (f"/releases/{release.pk}/" in shown) == (reader != admin)
    page(world.people["Ada"], f"/people/{rex.pk}/", 404)
    page(admin, "/people/per_none/", 404)


def test_people_are_links_for_who_may_open_their_pages_alone(world: World) -> None:
    release = world.request("staging")
    world.decide(release, world.rex)
    rex, path = world.people["Rex"], f"/releases/{release.pk}/"
    link = f'<a href="/people/{rex.pk}/">{rex.name}</a>'
    eve = factories.person("Eve", {"auditor": None})
    assert f"<b>{link}</b>" in page(eve, path)
    assert link in page(rex, path)
    shown = page(world.people["Ada"], path)
    assert rex.name in shown
    assert f"/people/{rex.pk}/" not in shown


def test_a_project_is_found_by_its_name_and_both_lead_to_their_pages(
    world: World, admin: User
) -> None:
    world.project.name = "Credit decisions"
    world.project.save(update_fields=["name"])
    assert 'href="/projects/risk/"' in page(admin, "/search/?q=DECISIONS")
    vera = world.people["Vera"]
    assert f'href="/people/{vera.pk}/"' in page(admin, "/search/?q=vera")


def test_what_people_type_is_text(admin: User) -> None:
    named = "<b>Risk</b>"
    sent(admin, "/projects/new", name=named, slug="odd", description="<script>x</script>")
    for path in ("", "odd/", "odd/members/", "odd/activity/", "odd/settings/"):
        shown = page(admin, f"/projects/{path}")
        assert named not in shown
        assert "<script>x" not in shown
    assert Project.objects.get(slug="odd").name == named


@pytest.mark.parametrize("kept", ['"\\000"', "no such", "x" * 300, "hidden"])
def test_a_cookie_that_names_no_project_of_ones_own_is_none(world: World, kept: str) -> None:
    """A page at a host beside ours may set it; Django reads octal numbers in quotes."""
    factories.project("hidden")
    client = browser(world.people["Ada"])
    client.cookies["project"] = "x"
    client.cookies["project"].set("project", kept, kept)
    for path in ("/inbox/", "/nothing/"):
        answer = client.get(path)
        assert answer.status_code in (200, 404)
        assert "All projects</b>" in answer.content.decode()


def test_the_project_that_was_opened_last_is_the_one_that_one_stands_in(world: World) -> None:
    client = browser(world.people["Ada"])
    client.get("/projects/risk/")
    assert "Risk</b>" in client.get("/inbox/").content.decode()
    assert "All projects</b>" in client.get("/models/").content.decode()  # over all of them
    client.get("/projects/")
    assert "All projects</b>" in client.get("/inbox/").content.decode()


def test_who_sees_releases_reads_who_decides_but_no_address(world: World) -> None:
    """On the members' page and on that of an environment, by the roles that its policy asks."""
    only = factories.person("Only Staging", roles={"approver": (world.project, "staging")})
    gone = factories.person("Gone", roles={"approver": world.project})
    everywhere = factories.person("Ellen Everywhere", roles={"reviewer": None})
    User.objects.filter(pk=gone.pk).update(is_active=False)
    User.objects.filter(pk=everywhere.pk).update(name="")
    ada = world.people["Ada"]
    members = page(ada, "/projects/risk/members/")
    assert "Who decides on releases" in members
    assert "Vera risk, Vito risk" in " ".join(members.split())
    staging = " ".join(page(ada, "/projects/risk/environments/staging/").split())
    production = page(ada, "/projects/risk/environments/production/")
    development = " ".join(page(ada, "/projects/risk/environments/development/").split())
    assert "Rex risk" not in development, "its policy asks nobody"
    assert "The policy asks nobody to approve." in members
    assert "Vera risk" not in staging, "its policy asks one reviewer alone"
    assert "Vera risk" in production
    for shown in (members, staging, production):
        assert "Rex risk" in shown
        assert "Gone" not in shown
        assert "somebody without a name" in shown
        for person in (only, everywhere, world.people["Rex"], world.people["Vera"]):
            assert person.email not in shown
            assert person.pk not in shown
    assert only.name not in members, "no policy asks an approver in staging"
    world.policy("staging", "version: 1\ngates: [{gate: approvals, role: approver, count: 1}]\n")
    staging = " ".join(page(ada, "/projects/risk/environments/staging/").split())
    assert only.name in staging
    assert "Rex risk" not in staging
    assert only.name not in production


def test_a_team_decides_by_its_members(world: World) -> None:
    team = factories.team("Board", factories.person("Tea"), roles={"approver": world.project})
    assert team.name not in page(world.people["Ada"], "/projects/risk/environments/production/")
    assert "Tea" in page(world.people["Ada"], "/projects/risk/environments/production/")


def test_who_looks_after_access_reads_who_decides_and_no_release(world: World, admin: User) -> None:
    """By the roles that a policy asks, and on the page of the environment and of its policy too."""
    where = "/projects/risk/environments/production/"
    for path in ("/projects/risk/members/", where, "/policies/risk/production/"):
        assert "Vera risk" in page(admin, path), path
    assert "Who decides on releases" in page(admin, "/projects/risk/members/")
    other = factories.project("other")
    elsewhere = factories.person("Otis", roles={"admin": other})
    places = with_deciders(Environment.objects.filter(pk=world.environment("production").pk))
    assert deciders(places.get(), actor_of(elsewhere)) == []


def test_what_somebody_does_not_see_is_not_counted_as_none(world: World, admin: User) -> None:
    """Who looks after access sees that projects and environments are there, and who has a role."""
    world.live()
    hidden = "not visible to you"
    rows = {row.project.slug: row for row in project_rows([world.project], actor_of(admin))}
    assert (rows["risk"].models, rows["risk"].live, rows["risk"].alerts) == (None, None, None)
    assert page(admin, "/projects/").count(hidden) == 3
    assert page(admin, "/projects/risk/").count(f"policy {hidden}") == 3
    assert page(admin, "/policies/").count(hidden) == 3
    there = page(admin, "/projects/risk/environments/staging/")
    for what in ("Endpoints are", "The policy is"):
        assert f"{what} for people with a role in the project to see." in there
    rex = world.people["Rex"]
    assert page(rex, "/projects/").count(hidden) == 1  # the members
    for path in ("/projects/risk/", "/policies/", "/projects/risk/environments/staging/"):
        assert hidden not in page(rex, path)
        assert "for people with a role" not in page(rex, path)


def test_an_environment_without_a_policy_says_what_that_means(world: World) -> None:
    Environment.objects.create(project=world.project, name="lab", position=9)
    rex = world.people["Rex"]
    assert "No active policy: nothing can be released." in page(
        rex, "/projects/risk/environments/lab/"
    )
    assert "no policy" in page(rex, "/projects/risk/")
