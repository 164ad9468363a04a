-- name: find_project_key
-- The number of a project that is not being deleted.
SELECT key FROM projects WHERE id = ? AND deleted_at IS NULL;

-- name: find_project_by_name
-- The project of a name.
SELECT id, name, display_name, created_at, updated_at FROM projects WHERE name = ? AND deleted_at IS NULL;

-- name: find_project
-- The project of an id.
SELECT id, name, display_name, created_at, updated_at FROM projects WHERE id = ? AND deleted_at IS NULL;

-- name: list_projects
-- All projects, by name.
SELECT id, name, display_name, created_at, updated_at FROM projects WHERE deleted_at IS NULL ORDER BY name;

-- name: save_project
-- Insert a project, or give it new names; a project being deleted is left alone.
INSERT INTO projects (id, name, display_name, created_at, updated_at) VALUES (:id, :name, :display_name, :created_at, :updated_at)
ON CONFLICT (id) DO UPDATE
SET name = excluded.name, display_name = excluded.display_name, updated_at = excluded.updated_at
WHERE deleted_at IS NULL;

-- name: hide_project
-- Make a project invisible, before its rows are removed in small steps.
UPDATE projects SET deleted_at = updated_at WHERE key = ? AND deleted_at IS NULL;

-- name: list_hidden_projects
-- Projects whose removal is under way.
SELECT key FROM projects WHERE deleted_at IS NOT NULL;

-- name: delete_project
-- The last step of a removal; variables and connections go with it.
DELETE FROM projects WHERE key = ?;

-- name: list_variables
-- Variables of a project and its connections.
SELECT v.scope, v.name, v.value, v.is_secret, v.description, v.updated_at
FROM variables AS v
JOIN projects AS p ON p.key = v.project_key
WHERE p.id = ? AND p.deleted_at IS NULL
ORDER BY v.scope, v.name;

-- name: save_variable
-- Insert or replace one variable.
INSERT INTO variables (project_key, scope, name, value, is_secret, description, updated_at)
VALUES (:project_key, :scope, :name, :value, :is_secret, :description, :updated_at)
ON CONFLICT (project_key, scope, name) DO UPDATE
SET value = excluded.value, is_secret = excluded.is_secret, description = excluded.description,
    updated_at = excluded.updated_at;

-- name: replace_value
-- Change the value of a variable if it is still the one given.
UPDATE variables SET value = ? WHERE project_key = ? AND scope = ? AND name = ? AND value = ?;

-- name: delete_variable
-- Delete one variable.
DELETE FROM variables WHERE project_key = ? AND scope = ? AND name = ?;

-- name: clear_variables
-- Delete all variables of a project.
DELETE FROM variables WHERE project_key = ?;

-- name: list_connections
-- Connections of a project, by name.
SELECT c.name, c.integration
FROM connections AS c
JOIN projects AS p ON p.key = c.project_key
WHERE p.id = ? AND p.deleted_at IS NULL
ORDER BY c.name;

-- name: clear_connections
-- Delete all connections of a project.
DELETE FROM connections WHERE project_key = ?;

-- name: insert_connection
-- One connection of a project.
INSERT INTO connections (project_key, name, integration) VALUES (:project_key, :name, :integration);

-- name: list_secrets
-- The secret variables of a project and its connections, by its number.
SELECT scope, name, value FROM variables WHERE project_key = ? AND is_secret = 1;

-- name: list_value_keys
-- The keys of sealed values, oldest first.
SELECT id, box FROM value_keys ORDER BY id;

-- name: insert_value_key
-- A key of values.
INSERT INTO value_keys (box) VALUES (?);

-- name: replace_value_key
-- Put a key of values into another box, if it is still in the one given.
UPDATE value_keys SET box = ? WHERE id = ? AND box = ?;
