-- Fills an empty instance beside the one real example of everything that benchmarks/pages.py made.
-- Every row is a copy of a real one with other keys, so that documents have their real sizes.
-- Parameters: versions, events, models, endpoints, releases, people (rows of each). The first model,
-- the first endpoint and the first project have a tenth of all that others share.
CREATE FUNCTION pg_temp.key(prefix text, n bigint) RETURNS text IMMUTABLE LANGUAGE sql
  AS $$ SELECT prefix || '_' || lpad(to_hex(n), 32, '0') $$;
CREATE FUNCTION pg_temp.digest(kind text, n bigint) RETURNS text IMMUTABLE LANGUAGE sql
  AS $$ SELECT 'sha256:' || encode(sha256(convert_to(kind || n, 'UTF8')), 'hex') $$;

CREATE TEMP TABLE places AS
  SELECT row_number() OVER (ORDER BY p.id) - 1 AS place, p.id AS project, e.id AS environment,
         pol.id AS policy
  FROM identity_project p
  JOIN governance_environment e ON e.project_id = p.id AND e.name = 'development'
  JOIN governance_policyrevision pol ON pol.environment_id = e.id AND pol.state = 'published';
CREATE TEMP TABLE counts AS SELECT count(*) AS projects FROM places;

-- One in a hundred was invited and has not come yet.
INSERT INTO identity_user
SELECT made.*
FROM (SELECT * FROM identity_user LIMIT 1) t, generate_series(1, :people) n,
     LATERAL jsonb_populate_record(NULL::identity_user, to_jsonb(t) || jsonb_build_object(
  'id', pg_temp.key('per', n),
  'email', 'person-' || n || '@example.com', 'name', 'Person ' || n,
  'last_login', CASE WHEN n % 100 > 0 THEN now() END)) made;

-- Everybody has a role in two projects, a hundredth of them reviews in one of them, and a hundred
-- one everywhere; a tenth is in a team, and everybody has a token.
INSERT INTO identity_rolebinding (id, role, person_id, project_id, environment, granted_by, created_at)
SELECT pg_temp.key('rol', row_number() OVER ()), r.role, pg_temp.key('per', r.n), p.project, '',
       'system', now()
FROM (SELECT n, n % 40 AS place, 'viewer' AS role FROM generate_series(1, :people) n
      UNION ALL SELECT n, (n + 7) % 40, 'contributor' FROM generate_series(1, :people) n
      UNION ALL SELECT n, 1, 'reviewer' FROM generate_series(1, :people, 100) n
      UNION ALL SELECT n, NULL, 'viewer' FROM generate_series(1, 100) n) r
     LEFT JOIN places p ON p.place = r.place;
INSERT INTO identity_team (id, name, created_at)
SELECT pg_temp.key('tem', n), 'Team ' || n, now() FROM generate_series(1, 200) n;
INSERT INTO identity_teammember (id, team_id, person_id)
SELECT pg_temp.key('tmm', n), pg_temp.key('tem', 1 + n % 200), pg_temp.key('per', n)
FROM generate_series(1, :people, 10) n;
INSERT INTO identity_rolebinding (id, role, team_id, project_id, environment, granted_by, created_at)
SELECT pg_temp.key('rlt', n), 'viewer', pg_temp.key('tem', n), p.project, '', 'system', now()
FROM generate_series(1, 200) n JOIN places p ON p.place = n % 40;
INSERT INTO identity_apitoken
SELECT made.*
FROM (SELECT * FROM identity_apitoken WHERE project_id IS NULL LIMIT 1) t,
     generate_series(1, :people) n,
     LATERAL jsonb_populate_record(NULL::identity_apitoken, to_jsonb(t) || jsonb_build_object(
  'id', pg_temp.key('tok', n), 'name', 'token ' || n, 'prefix', 'b' || n,
  'service_account_id', NULL, 'person_id', pg_temp.key('per', n))) made;

INSERT INTO serving_target
SELECT made.*
FROM (SELECT * FROM serving_target LIMIT 1) t, generate_series(1, 200) n,
     LATERAL jsonb_populate_record(NULL::serving_target, to_jsonb(t) || jsonb_build_object(
  'id', pg_temp.key('tgt', n),
  'name', 'target-' || n)) made;

INSERT INTO registry_registeredmodel
SELECT made.*
FROM (SELECT * FROM registry_registeredmodel LIMIT 1) t, counts,
     generate_series(1, :models) n JOIN places p ON true,
     LATERAL jsonb_populate_record(NULL::registry_registeredmodel, to_jsonb(t) || jsonb_build_object(
  'id', pg_temp.key('mdl', n),
  'name', 'model-' || n, 'project_id', p.project)) made
WHERE p.place = n % counts.projects;

-- A tenth of the versions belongs to one model, the rest to all of them alike.
CREATE TEMP TABLE numbered AS
  SELECT n, CASE WHEN n % 10 = 0 THEN 1 ELSE 1 + n % :models END AS model FROM
  generate_series(1, :versions) n;
INSERT INTO registry_modelversion
SELECT made.*
FROM (SELECT * FROM registry_modelversion LIMIT 1) t,
     (SELECT *, row_number() OVER (PARTITION BY model ORDER BY n) AS number FROM numbered) s
     JOIN registry_registeredmodel m ON m.id = pg_temp.key('mdl', s.model),
     LATERAL jsonb_populate_record(NULL::registry_modelversion, to_jsonb(t) || jsonb_build_object(
  'id', pg_temp.key('ver', s.n),
  'model_id', m.id, 'project_id', m.project_id, 'number', s.number,
  'artifact_digest', pg_temp.digest('artifact', s.n))) made;

INSERT INTO registry_alias (id, name, managed_by, model_id, project_id, version_id)
SELECT pg_temp.key('als', row_number() OVER ()), 'champion', '', v.model_id, v.project_id, v.id
FROM registry_modelversion v WHERE v.number = 1 AND v.id LIKE 'ver_0000000000000%';

INSERT INTO registry_evidence
SELECT made.*
FROM (SELECT * FROM registry_evidence WHERE kind = 'metrics' LIMIT 1) t,
     generate_series(1, :versions) n JOIN registry_modelversion v ON v.id = pg_temp.key('ver', n),
     LATERAL jsonb_populate_record(NULL::registry_evidence, to_jsonb(t) || jsonb_build_object(
  'id', pg_temp.key('evd', n),
  'version_id', v.id, 'project_id', v.project_id)) made;

INSERT INTO builds_build
SELECT made.*
FROM (SELECT * FROM builds_build WHERE state = 'succeeded' LIMIT 1) t,
     generate_series(1, :versions) n JOIN registry_modelversion v ON v.id = pg_temp.key('ver', n),
     LATERAL jsonb_populate_record(NULL::builds_build, to_jsonb(t) || jsonb_build_object(
  'id', pg_temp.key('bld', n),
  'version_id', v.id, 'project_id', v.project_id, 'bento_digest', pg_temp.digest('bento', n))) made;
INSERT INTO builds_bento
SELECT made.*
FROM (SELECT * FROM builds_bento LIMIT 1) t, builds_build b,
     LATERAL jsonb_populate_record(NULL::builds_bento, to_jsonb(t) || jsonb_build_object(
  'digest', b.bento_digest,
  'version_id', b.version_id, 'project_id', b.project_id, 'build_id', b.id)) made
WHERE b.id LIKE 'bld_0000000000000%';

INSERT INTO serving_endpoint
SELECT made.*
FROM (SELECT * FROM serving_endpoint ORDER BY id LIMIT 1) t, counts,
     generate_series(1, :endpoints) n JOIN places p ON true,
     LATERAL jsonb_populate_record(NULL::serving_endpoint, to_jsonb(t) || jsonb_build_object(
  'id', pg_temp.key('end', n),
  'name', 'endpoint-' || n, 'project_id', p.project, 'environment', 'development',
  'target_id', pg_temp.key('tgt', 1 + n % 200))) made
WHERE p.place = n % counts.projects;

-- Each target lists the environments that have endpoints there.
INSERT INTO serving_targetuse
SELECT made.*
FROM (SELECT * FROM serving_targetuse LIMIT 1) t,
     (SELECT row_number() OVER () AS n, target_id, project_id, environment
      FROM (SELECT DISTINCT target_id, project_id, environment FROM serving_endpoint
            WHERE id >= pg_temp.key('end', 1) AND id <= pg_temp.key('end', :endpoints)) e) u,
     LATERAL jsonb_populate_record(NULL::serving_targetuse, to_jsonb(t) || jsonb_build_object(
  'id', pg_temp.key('use', u.n), 'target_id', u.target_id, 'project_id', u.project_id,
  'environment', u.environment)) made
ON CONFLICT DO NOTHING;

-- Each endpoint had many releases, of which the last is live; one in fifty waits.
INSERT INTO governance_release
SELECT made.*
FROM (SELECT * FROM governance_release WHERE state = 'live' LIMIT 1) t,
     generate_series(1, :releases) n
     JOIN serving_endpoint e ON e.id = pg_temp.key('end',
       CASE WHEN n % 10 = 0 AND n <= :releases - :endpoints THEN 1 ELSE 1 + n % :endpoints END)
     JOIN places p ON p.project = e.project_id
     JOIN builds_bento b ON b.digest = pg_temp.digest('bento', 1 + n % :versions),
     LATERAL jsonb_populate_record(NULL::governance_release, to_jsonb(t) || jsonb_build_object(
  'id', pg_temp.key('rel', n),
  'project_id', e.project_id, 'number', 10 + n, 'environment_id', p.environment,
  'policy_id', p.policy, 'endpoint_id', e.id,
  'version_id', b.version_id, 'bento_id', b.digest,
  'reason', 'Retrained in week ' || n % 53 || ' on ' || n || ' rows: ' ||
            (ARRAY['drift', 'recall', 'latency', 'bias'])[1 + n % 4] || ' was over the limit in '
            || md5(n::text) || ', agreed with the owner of the risk',
  'state', CASE WHEN n > :releases - :endpoints THEN 'live'
                WHEN n % 50 = 0 THEN 'requested' ELSE 'superseded' END)) made;
INSERT INTO governance_decision
SELECT made.*
FROM (SELECT * FROM governance_decision LIMIT 1) t,
     generate_series(1, :releases) n JOIN governance_release r ON r.id = pg_temp.key('rel', n),
     LATERAL jsonb_populate_record(NULL::governance_decision, to_jsonb(t) || jsonb_build_object(
  'id', pg_temp.key('dec', n),
  'release_id', r.id, 'project_id', r.project_id)) made;
INSERT INTO serving_revision
SELECT made.*
FROM (SELECT * FROM serving_revision ORDER BY id LIMIT 1) t,
     generate_series(1, :releases) n JOIN governance_release r ON r.id = pg_temp.key('rel', n),
     LATERAL jsonb_populate_record(NULL::serving_revision, to_jsonb(t) || jsonb_build_object(
  'id', pg_temp.key('rev', n),
  'endpoint_id', r.endpoint_id, 'project_id', r.project_id, 'bento_id', r.bento_id,
  'number', n, 'release', r.id,
  'state', CASE WHEN r.state = 'live' THEN 'live' ELSE 'stopped' END)) made;
INSERT INTO rollouts_rollout
SELECT made.*
FROM (SELECT * FROM rollouts_rollout ORDER BY id LIMIT 1) t,
     generate_series(1, :releases) n JOIN governance_release r ON r.id = pg_temp.key('rel', n),
     LATERAL jsonb_populate_record(NULL::rollouts_rollout, to_jsonb(t) || jsonb_build_object(
  'id', pg_temp.key('rlo', n), 'state', 'done',
  'endpoint_id', r.endpoint_id, 'project_id', r.project_id, 'release_id', r.id,
  'to_revision_id', pg_temp.key('rev', n))) made;
INSERT INTO jobs_job
SELECT made.*
FROM (SELECT * FROM jobs_job LIMIT 1) t, counts,
     generate_series(1, :releases) n JOIN places p ON true,
     LATERAL jsonb_populate_record(NULL::jobs_job, to_jsonb(t) || jsonb_build_object(
  'id', pg_temp.key('job', n), 'key', n::text,
  'state', 'succeeded', 'project', p.project)) made
WHERE p.place = n % counts.projects;

-- The first endpoint's live revision was counted every ten seconds for a month, the others for half
-- an hour.
INSERT INTO monitoring_metricwindow
  (node, revision, started_at, seconds, status_2xx, status_4xx, status_5xx, latency, error)
SELECT 'nod_1', r.id, date_trunc('minute', now()) - n * interval '10 s', 10, 90 + n % 20, n % 3,
       (n % 50 = 0)::int, jsonb_build_object('5', 60 + n % 20, '10', 25, '25', 5, '100', n % 4), ''
FROM serving_revision r,
     generate_series(1, CASE WHEN r.endpoint_id = pg_temp.key('end', 1) THEN 259000 ELSE 180 END) n
WHERE r.state = 'live' AND r.id LIKE 'rev_0000000000000%';

INSERT INTO monitoring_alert
SELECT made.*
FROM (SELECT * FROM monitoring_alert LIMIT 1) t, generate_series(1, 2000) n
     JOIN serving_endpoint e ON e.id = pg_temp.key('end', 1 + n % :endpoints),
     LATERAL jsonb_populate_record(NULL::monitoring_alert, to_jsonb(t) || jsonb_build_object(
  'id', pg_temp.key('alr', n), 'subject', 'subject ' || n, 'endpoint_id', e.id,
  'project_id', e.project_id, 'environment', e.environment, 'about', e.name,
  'state', CASE WHEN n % 10 = 0 THEN 'open' ELSE 'resolved' END,
  'resolved_at', CASE WHEN n % 10 = 0 THEN NULL ELSE now() END)) made;
INSERT INTO assurance_recall
SELECT made.*
FROM (SELECT * FROM assurance_recall LIMIT 1) t, generate_series(1, 500) n
     JOIN builds_bento b ON b.digest = pg_temp.digest('bento', n),
     LATERAL jsonb_populate_record(NULL::assurance_recall, to_jsonb(t) || jsonb_build_object(
  'id', pg_temp.key('rcl', n), 'project_id', b.project_id, 'what', b.digest)) made;
INSERT INTO governance_breakglass
SELECT made.*
FROM (SELECT * FROM governance_breakglass LIMIT 1) t, generate_series(1, 500) n
     JOIN governance_release r ON r.id = pg_temp.key('rel', n),
     LATERAL jsonb_populate_record(NULL::governance_breakglass, to_jsonb(t) || jsonb_build_object(
  'id', pg_temp.key('brg', n), 'release_id', r.id, 'project_id', r.project_id,
  'state', CASE WHEN n % 16 = 0 THEN 'opened' ELSE 'reviewed' END)) made;
INSERT INTO registry_artifactfile (id, version_id, project_id, path, size, sha256)
SELECT pg_temp.key('fil', n), v.id, v.project_id, 'part-' || n || '.bin', 1000 + n, md5(n::text) || md5(n::text)
FROM generate_series(1, 2000) n,
     (SELECT * FROM registry_modelversion WHERE model_id = pg_temp.key('mdl', 1)
      ORDER BY number DESC LIMIT 1) v;
INSERT INTO monitoring_capturedprediction
SELECT made.*
FROM (SELECT * FROM monitoring_capturedprediction LIMIT 1) t, generate_series(1, :versions) n,
     LATERAL jsonb_populate_record(NULL::monitoring_capturedprediction,
                                   to_jsonb(t) || jsonb_build_object(
  'id', -n, 'prediction', md5(n::text)::uuid,
  'at', now() - n * interval '5 s')) made;

-- A log of kinds as they come, the newest a moment ago; one event in a thousand is rare. Of each
-- revision and each endpoint there are the events of a real one, spread over the time alike.
CREATE TEMP TABLE happened AS
  SELECT row_number() OVER (ORDER BY at, copied) - 1 AS s, * FROM (
    SELECT n::float / :events AS at, n, NULL::text AS subject, NULL::bigint AS copied
    FROM generate_series(0, :events - 1) n
    UNION ALL
    SELECT CASE WHEN t.subject LIKE 'end%' THEN 0 ELSE n::float / :releases END, n,
           pg_temp.key(left(t.subject, 3), n), t.index
    FROM audit_event t, generate_series(1, :releases) n
    WHERE (t.subject = (SELECT id FROM serving_revision ORDER BY id LIMIT 1) AND t.kind LIKE 'revision.%')
       OR (t.subject = (SELECT endpoint_id FROM serving_revision ORDER BY id LIMIT 1) AND n <= :endpoints
           AND t.kind = 'endpoint.created')) e;
INSERT INTO audit_event (index, body, leaf_hash)
SELECT n, body, sha256('\x00'::bytea || convert_to(body, 'UTF8')) FROM (
  SELECT head.size + s.s AS n,
    CASE WHEN s.copied IS NOT NULL THEN
      replace(regexp_replace(t.body, '"at":"[^"]*"', '"at":"' || s.at || '"'), t.subject, s.subject)
    ELSE jsonb_build_object(
    'v', 1, 'at', s.at,
    'kind', CASE WHEN s.n % 1000 = 0 THEN 'policy.published.v1' ELSE
      (ARRAY['version.created', 'evidence.added', 'build.finished', 'release.decided'])[1 + s.n % 4]
      || '.v1' END,
    'actor_id', pg_temp.key('per', 1 + s.n % 2000),
    'actor', jsonb_build_object('kind', 'person', 'id', pg_temp.key('per', 1 + s.n % 2000),
                                'accountable', pg_temp.key('per', 1 + s.n % 2000), 'token', NULL),
    'subject', v.id, 'project', v.project_id, 'environment', NULL,
    'cause', jsonb_build_object('request', NULL, 'job', NULL), 'data', '{}'::jsonb,
    'salt', md5(s.n::text),
    'after', jsonb_build_object('registry.modelversion:' || v.id,
                                jsonb_build_object('id', v.id, 'state', v.state)))::text END AS body
  FROM audit_loghead head,
       (SELECT h.s, h.n, h.subject, h.copied,
               to_char(now() AT TIME ZONE 'UTC' - (last.count - h.s) * interval '5 s',
                       'YYYY-MM-DD"T"HH24:MI:SS.US"Z"') AS at
        FROM happened h, (SELECT count(*) FROM happened) last) s
       LEFT JOIN audit_event t ON t.index = s.copied
       JOIN registry_modelversion v ON v.id = pg_temp.key('ver', 1 + s.n % :versions)
) events;
UPDATE audit_loghead SET size = size + (SELECT count(*) FROM happened);
ANALYZE;
