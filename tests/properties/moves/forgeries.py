"""What somebody writes who has the application's database role, as one statement each.

``%(person)s``, ``%(other)s`` and ``%(id)s`` are somebody, somebody else, and an id that nobody has.
A statement that the database refuses, or that finds nothing to change, is a move all the same.
"""

RELEASES = (
    "UPDATE governance_release SET state = 'approved', quorum_met = true"
    " WHERE state IN ('requested', 'rejected', 'withdrawn')",
    "UPDATE governance_release SET requester = %(person)s",
    "UPDATE governance_release SET request_digest = (SELECT max(request_digest)"
    " FROM governance_release)",
    "UPDATE governance_release SET bento_id = (SELECT max(digest) FROM builds_bento)"
    " WHERE state = 'requested'",
    "UPDATE governance_release r SET request_envelope = o.request_envelope,"
    " request_digest = o.request_digest FROM governance_release o WHERE o.id <> r.id",
)
DECISIONS = (
    "UPDATE governance_decision SET voided_reason = ''",
    "UPDATE governance_decision SET person = %(person)s, role = 'approver'",
    "UPDATE governance_decision SET verdict = 'approve'",
    "DELETE FROM governance_decision",
    "INSERT INTO governance_decision (id, release_id, project_id, person, role, verdict,"
    " comment_sealed, statement_digest, envelope, gates, voided_reason, created_at)"
    " SELECT %(id)s, r.id, d.project_id, d.person, d.role, 'approve', d.comment_sealed,"
    " r.request_digest, d.envelope, d.gates, '', now()"
    " FROM governance_decision d, governance_release r"
    " WHERE r.id <> d.release_id AND r.state = 'requested' LIMIT 1",
)
POLICIES = (
    "UPDATE governance_policyrevision SET state = 'withdrawn' WHERE number = (SELECT max(number)"
    " FROM governance_policyrevision WHERE state = 'published')",
    "UPDATE governance_policyrevision SET document = jsonb_set(document, '{gates}', '[]')",
    "UPDATE governance_policyrevision SET state = 'published' WHERE state = 'draft'",
    "UPDATE governance_policyrevision SET number = number + 7 WHERE number = 1",
    "UPDATE governance_policyrevision SET drafted_by = %(other)s",
    "UPDATE governance_policyrevision p SET envelope = o.envelope FROM governance_policyrevision o"
    " WHERE o.id <> p.id AND o.envelope <> ''",
)
PEOPLE = (
    "INSERT INTO identity_rolebinding (id, role, person_id, project_id, environment, granted_by,"
    " created_at) SELECT %(id)s, 'reviewer', %(person)s, id, '', 'system', now()"
    " FROM identity_project LIMIT 1",
    "UPDATE identity_rolebinding SET role = 'approver' WHERE person_id = %(person)s",
    "UPDATE identity_rolebinding SET environment = ''",
    "UPDATE identity_rolebinding SET person_id = %(other)s WHERE person_id = %(person)s",
    "INSERT INTO identity_teammember (id, team_id, person_id)"
    " SELECT %(id)s, id, %(person)s FROM identity_team LIMIT 1",
    "UPDATE identity_user SET is_active = true",
    "UPDATE identity_user SET is_superuser = true, is_staff = true WHERE id = %(person)s",
    "UPDATE identity_user SET id = id, email = %(id)s WHERE id = %(person)s",
)
SERVING = (
    "UPDATE serving_revision SET bento_id = (SELECT max(digest) FROM builds_bento)",
    "UPDATE serving_revision SET release = (SELECT max(id) FROM governance_release)",
    "UPDATE serving_revision SET state = 'live', weight = 10000",
    "UPDATE serving_revision SET permit = (SELECT min(permit) FROM serving_revision)",
    "UPDATE serving_endpoint SET environment = 'production', name = name || '-too'"
    " WHERE environment = 'staging'",
    "UPDATE serving_desiredstate SET number = 1",
    "UPDATE rollouts_rollout SET state = 'done'",
)
RECALLS = (
    "UPDATE assurance_recall SET state = 'lifted'",
    "DELETE FROM assurance_recall",
    "UPDATE governance_release SET state = 'approved' WHERE state = 'revoked'",
)
GLASSES = (
    "UPDATE governance_breakglass SET state = 'confirmed', confirmed_at = now()"
    " WHERE state = 'opened'",
    "UPDATE governance_breakglass SET people = 1",
    "UPDATE governance_breakglass SET release_id = (SELECT max(id) FROM governance_release)"
    " WHERE state = 'ended'",
    "UPDATE governance_breakglass SET until = until + interval '1 year', state = 'confirmed'",
    "INSERT INTO governance_breakglasssignature (id, glass_id, project_id, person, role,"
    " comment_sealed, envelope, created_at) SELECT %(id)s, glass_id, project_id, %(person)s,"
    " 'approver', '', envelope, now() FROM governance_breakglasssignature LIMIT 1",
    "UPDATE governance_breakglasssignature SET person = %(other)s, role = 'approver'"
    " WHERE role = 'responder'",
    "UPDATE governance_policyrevision SET document = jsonb_set(document, '{break_glass}',"
    """ '{"people": 2, "hours": 4, "review_days": 3, "skip": [], "passkey": false}')""",
)
FORGERIES = (*RELEASES, *DECISIONS, *POLICIES, *PEOPLE, *SERVING, *RECALLS, *GLASSES)
