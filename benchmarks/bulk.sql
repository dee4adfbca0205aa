-- Fills an empty instance beside the one real example of everything that benchmarks/pages.py made.
-- Every row is a copy of a real one with other keys, so that documents have their real sizes.
-- Parameters: versions, events, models, endpoints, releases (rows of each).
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

INSERT INTO identity_user
SELECT made.*
FROM (SELECT * FROM identity_user LIMIT 1) t, generate_series(1, 2000) n,
     LATERAL jsonb_populate_record(NULL::identity_user, to_jsonb(t) || jsonb_build_object(
  'id', pg_temp.key('per', n),
  'email', 'person-' || n || '@example.com', 'name', 'Person ' || n)) made;

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
FROM (SELECT * FROM serving_endpoint LIMIT 1) t, counts,
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
     JOIN serving_endpoint e ON e.id = pg_temp.key('end', 1 + n % :endpoints)
     JOIN places p ON p.project = e.project_id
     JOIN builds_bento b ON b.digest = pg_temp.digest('bento', 1 + n % :versions),
     LATERAL jsonb_populate_record(NULL::governance_release, to_jsonb(t) || jsonb_build_object(
  'id', pg_temp.key('rel', n),
  'project_id', e.project_id, 'number', 10 + n, 'environment_id', p.environment,
  'policy_id', p.policy, 'endpoint_id', e.id,
  'version_id', b.version_id, 'bento_id', b.digest,
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
FROM (SELECT * FROM serving_revision LIMIT 1) t,
     generate_series(1, :releases) n JOIN governance_release r ON r.id = pg_temp.key('rel', n),
     LATERAL jsonb_populate_record(NULL::serving_revision, to_jsonb(t) || jsonb_build_object(
  'id', pg_temp.key('rev', n),
  'endpoint_id', r.endpoint_id, 'project_id', r.project_id, 'bento_id', r.bento_id,
  'number', n, 'release', r.id,
  'state', CASE WHEN r.state = 'live' THEN 'live' ELSE 'stopped' END)) made;
INSERT INTO rollouts_rollout
SELECT made.*
FROM (SELECT * FROM rollouts_rollout LIMIT 1) t,
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

-- A log of kinds as they come, the newest a moment ago; one event in a thousand is rare.
INSERT INTO audit_event (index, body, leaf_hash)
SELECT n, body, sha256('\x00'::bytea || convert_to(body, 'UTF8')) FROM (
  SELECT s.n, jsonb_build_object(
    'v', 1, 'at', to_char(now() AT TIME ZONE 'UTC' - (:events + head.size - s.n) * interval '5 s',
                          'YYYY-MM-DD"T"HH24:MI:SS.US"Z"'),
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
                                jsonb_build_object('id', v.id, 'state', v.state)))::text AS body
  FROM audit_loghead head,
       generate_series(head.size, head.size + :events - 1) AS s(n)
       JOIN registry_modelversion v ON v.id = pg_temp.key('ver', 1 + s.n % :versions)
) events;
UPDATE audit_loghead SET size = size + :events;
ANALYZE;
