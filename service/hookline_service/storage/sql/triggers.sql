-- name: find_trigger_key
-- The number of a trigger, in force or not.
SELECT key FROM triggers WHERE id = ?;

-- name: save_trigger
-- Put a trigger in force; a slug it once had is kept.
INSERT INTO triggers (id, project_key, deployment_key, name, slug, definition) VALUES (:id, :project_key, :deployment_key, :name, :slug, :definition)
ON CONFLICT (id) DO UPDATE
SET deployment_key = excluded.deployment_key, name = excluded.name, slug = coalesce(excluded.slug, slug),
    definition = excluded.definition;

-- name: retire_triggers
-- No trigger of the project is in force any more.
UPDATE triggers SET deployment_key = NULL WHERE project_key = ? AND deployment_key IS NOT NULL;

-- name: find_trigger
-- The trigger in force of an id.
SELECT id, project_id, deployment_id, definition, slug FROM trigger_values WHERE id = ?;

-- name: find_trigger_by_slug
-- The trigger in force of a slug.
SELECT id, project_id, deployment_id, definition, slug FROM trigger_values WHERE slug = ?;

-- name: list_triggers
-- All triggers in force, by project and name.
SELECT id, project_id, deployment_id, definition, slug FROM trigger_values ORDER BY project_id, name, id;

-- name: list_triggers_of_project
-- Triggers in force of a project, by name.
SELECT id, project_id, deployment_id, definition, slug FROM trigger_values WHERE project_key = ? ORDER BY name, id;

-- name: list_trigger_identities
-- Every trigger a project ever had.
SELECT t.id, t.name, t.slug
FROM triggers AS t
JOIN projects AS p ON p.key = t.project_key
WHERE p.id = ? AND p.deleted_at IS NULL
ORDER BY t.name, t.id;

-- name: clear_triggers
-- Delete all triggers of a project.
DELETE FROM triggers WHERE project_key = ?;

-- name: clear_schedules
-- Delete where the schedules of a project stand, but for those that somebody paused: they are so when they come back.
DELETE FROM schedules WHERE trigger_key IN (SELECT key FROM triggers WHERE project_key = ?) AND paused = 0;

-- name: forget_other_schedules
-- Triggers in force of a project that are no schedules any more stand nowhere: all but those of a JSON list of ids.
DELETE FROM schedules
WHERE trigger_key IN (
    SELECT key FROM triggers
    WHERE project_key = ?1 AND deployment_key IS NOT NULL AND id NOT IN (SELECT value FROM json_each(?2))
);

-- name: put_schedule
-- Put in force where a schedule stands; one that was paused when it went out of force stays so.
INSERT INTO schedules (trigger_key, next_fire_at, last_fire_at, paused, pause_reason, buffered)
SELECT t.key, :next_fire_at, :last_fire_at, :paused, :pause_reason, :buffered FROM triggers AS t WHERE t.id = :trigger_id
ON CONFLICT (trigger_key) DO UPDATE
SET next_fire_at = excluded.next_fire_at, last_fire_at = coalesce(excluded.last_fire_at, last_fire_at), buffered = excluded.buffered;

-- name: save_schedule
-- Insert or replace where a schedule stands, while its trigger is in force.
INSERT INTO schedules (trigger_key, next_fire_at, last_fire_at, paused, pause_reason, buffered)
SELECT t.key, :next_fire_at, :last_fire_at, :paused, :pause_reason, :buffered FROM triggers AS t WHERE t.id = :trigger_id AND t.deployment_key IS NOT NULL
ON CONFLICT (trigger_key) DO UPDATE
SET next_fire_at = excluded.next_fire_at, last_fire_at = excluded.last_fire_at, paused = excluded.paused,
    pause_reason = excluded.pause_reason, buffered = excluded.buffered;

-- name: step_schedule
-- Move a schedule on; whether it is paused stays as it is.
UPDATE schedules SET next_fire_at = :next_fire_at, last_fire_at = :last_fire_at, buffered = :buffered
WHERE trigger_key = (SELECT key FROM triggers WHERE id = :trigger_id);

-- name: list_schedules
-- All schedules in force, by trigger.
SELECT t.id AS trigger_id, p.id AS project_id, c.next_fire_at, c.last_fire_at, c.paused, c.pause_reason, c.buffered
FROM schedules AS c
JOIN triggers AS t ON t.key = c.trigger_key
JOIN projects AS p ON p.key = t.project_key
WHERE t.deployment_key IS NOT NULL
ORDER BY t.id;

-- name: list_schedules_of_project
-- Schedules in force of a project, by trigger.
SELECT t.id AS trigger_id, p.id AS project_id, c.next_fire_at, c.last_fire_at, c.paused, c.pause_reason, c.buffered
FROM schedules AS c
JOIN triggers AS t ON t.key = c.trigger_key
JOIN projects AS p ON p.key = t.project_key
WHERE t.project_key = ? AND t.deployment_key IS NOT NULL
ORDER BY t.id;
