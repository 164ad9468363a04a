-- name: find_build_key
-- The number of a build.
SELECT key FROM builds WHERE id = ?;

-- name: insert_build
-- A build; one whose id exists is kept.
INSERT INTO builds (id, project_key, environment, file_count, size_bytes, created_at, manifest)
VALUES (:id, :project_key, :environment, :file_count, :size_bytes, :created_at, :manifest)
ON CONFLICT (id) DO NOTHING;

-- name: insert_archive
-- The files of a build; kept when they are there.
INSERT INTO archives (build_key, content) VALUES (?, ?) ON CONFLICT (build_key) DO NOTHING;

-- name: find_build
-- The build of an id.
SELECT id, project_id, manifest, environment, file_count, size_bytes, created_at FROM build_values WHERE id = ?;

-- name: find_archive
-- The files of a build.
SELECT a.content FROM archives AS a JOIN builds AS b ON b.key = a.build_key WHERE b.id = ?;

-- name: list_builds
-- All builds, newest first.
SELECT id, project_id, manifest, environment, file_count, size_bytes, created_at
FROM build_values ORDER BY created_at DESC, key DESC LIMIT ?;

-- name: list_builds_of_project
-- Builds of a project, newest first.
SELECT id, project_id, manifest, environment, file_count, size_bytes, created_at
FROM build_values WHERE project_key = ? ORDER BY created_at DESC, key DESC LIMIT ?;

-- name: is_build_used
-- Whether a deployment or a session names the build.
SELECT EXISTS (SELECT 1 FROM deployments WHERE build_key = ?1) OR EXISTS (SELECT 1 FROM sessions WHERE build_key = ?1);

-- name: list_needed_builds
-- Of some builds (a JSON list of ids) those that a deployment which can start or still has sessions names, or any session.
SELECT b.id
FROM builds AS b
WHERE b.id IN (SELECT value FROM json_each(?))
  AND (
    EXISTS (SELECT 1 FROM deployments AS d WHERE d.build_key = b.key AND d.state <> 'inactive')
    OR EXISTS (SELECT 1 FROM sessions AS s WHERE s.build_key = b.key)
  );

-- name: delete_build
-- A build with its files.
DELETE FROM builds WHERE id = ?;

-- name: delete_unused_builds
-- Some builds of a project that nothing names any more, with their files.
DELETE FROM builds WHERE key IN (
    SELECT b.key FROM builds AS b
    WHERE b.project_key = ?
      AND NOT EXISTS (SELECT 1 FROM deployments AS d WHERE d.build_key = b.key)
      AND NOT EXISTS (SELECT 1 FROM sessions AS s WHERE s.build_key = b.key)
    LIMIT ?
);

-- name: give_builds_away
-- Builds that other projects deployed too go to one of those.
UPDATE builds
SET project_key = coalesce(
    (SELECT d.project_key FROM deployments AS d WHERE d.build_key = builds.key LIMIT 1),
    (SELECT s.project_key FROM sessions AS s WHERE s.build_key = builds.key LIMIT 1),
    project_key
)
WHERE project_key = ?;

-- name: find_deployment_key
-- The number of a deployment.
SELECT key FROM deployments WHERE id = ?;

-- name: insert_deployment
-- A deployment; one whose id exists is kept.
INSERT INTO deployments (id, project_key, build_key, state, created_at, activated_at) VALUES (:id, :project_key, :build_key, :state, :created_at, :activated_at)
ON CONFLICT (id) DO NOTHING;

-- name: find_deployment
-- The deployment of an id, with the numbers of its row and its project's.
SELECT id, project_id, build_id, state, created_at, activated_at, key, project_key FROM deployment_values WHERE id = ?;

-- name: find_active_deployment
-- The one active deployment of a project.
SELECT v.id, v.project_id, v.build_id, v.state, v.created_at, v.activated_at
FROM deployment_values AS v
JOIN projects AS p ON p.key = v.project_key
WHERE p.id = ? AND p.deleted_at IS NULL AND v.state = 'active';

-- name: list_deployments
-- All deployments below an id, newest first.
SELECT id, project_id, build_id, state, created_at, activated_at
FROM deployment_values WHERE id < ? ORDER BY id DESC LIMIT ?;

-- name: list_deployments_of_project
-- Deployments of a project below an id, newest first.
SELECT id, project_id, build_id, state, created_at, activated_at
FROM deployment_values WHERE project_key = ? AND id < ? ORDER BY id DESC LIMIT ?;

-- name: retire_active_deployment
-- Take the active deployment of a project, but not this one, out of force: draining while it has unfinished sessions.
UPDATE deployments
SET state = CASE WHEN EXISTS (
    SELECT 1 FROM sessions AS s
    WHERE s.deployment_key = deployments.key AND s.state IN ('created', 'running', 'waiting')
) THEN 'draining' ELSE 'inactive' END
WHERE project_key = ? AND state = 'active' AND key <> ?;

-- name: activate_deployment
-- Make a deployment active; the time stays when it was active already.
UPDATE deployments SET activated_at = CASE WHEN state = 'active' THEN activated_at ELSE ?1 END, state = 'active'
WHERE key = ?2;

-- name: set_deployment_state
-- Give a deployment a state; inactive becomes draining while it has unfinished sessions.
UPDATE deployments
SET state = CASE WHEN ?1 = 'inactive' AND EXISTS (
    SELECT 1 FROM sessions AS s
    WHERE s.deployment_key = deployments.key AND s.state IN ('created', 'running', 'waiting')
) THEN 'draining' ELSE ?1 END
WHERE key = ?2;

-- name: settle_draining
-- Make draining deployments without unfinished sessions inactive.
UPDATE deployments SET state = 'inactive'
WHERE state = 'draining' AND NOT EXISTS (
    SELECT 1 FROM sessions AS s
    WHERE s.deployment_key = deployments.key AND s.state IN ('created', 'running', 'waiting')
)
RETURNING id;

-- name: settle_deployment_of
-- Make the deployment of a session inactive if it drains and has no unfinished session left.
UPDATE deployments SET state = 'inactive'
WHERE key = (SELECT deployment_key FROM sessions WHERE key = ?) AND state = 'draining' AND NOT EXISTS (
    SELECT 1 FROM sessions AS s
    WHERE s.deployment_key = deployments.key AND s.state IN ('created', 'running', 'waiting')
);

-- name: count_sessions_by_state
-- How many sessions of a deployment are in each state.
SELECT state, count(*) FROM sessions WHERE deployment_key = ? GROUP BY state;

-- name: delete_deployment
-- One deployment, once its sessions are gone.
DELETE FROM deployments WHERE key = ?;

-- name: clear_deployments
-- All deployments of a project.
DELETE FROM deployments WHERE project_key = ?;

-- name: stop_deployments
-- No deployment of the project is active any more.
UPDATE deployments SET state = 'inactive' WHERE project_key = ? AND state = 'active';
