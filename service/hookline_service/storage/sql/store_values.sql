-- name: find_value
-- A value of a project's store that has not expired, and whether it is published.
SELECT value, is_published FROM store_values
WHERE project_key = ? AND name = ? AND (expires_at IS NULL OR expires_at > ?);

-- name: save_value
-- Insert or replace a value.
INSERT INTO store_values (project_key, name, value, is_published, expires_at, updated_at) VALUES (?, ?, ?, ?, ?, ?)
ON CONFLICT (project_key, name) DO UPDATE
SET value = excluded.value, is_published = excluded.is_published, expires_at = excluded.expires_at,
    updated_at = excluded.updated_at;

-- name: delete_value
-- Delete a value.
DELETE FROM store_values WHERE project_key = ? AND name = ?;

-- name: count_other_values
-- How many values a project keeps under other names than this, expired ones among them.
SELECT count(*) FROM store_values WHERE project_key = ? AND name <> ?;

-- name: list_keys
-- The keys of a project's store, in order.
SELECT name FROM store_values
WHERE project_key = ? AND (expires_at IS NULL OR expires_at > ?) ORDER BY name;

-- name: publish_value
-- Say whether anybody may read a value.
UPDATE store_values SET is_published = ?4
WHERE project_key = ?1 AND name = ?2 AND (expires_at IS NULL OR expires_at > ?3);

-- name: list_values
-- What a project's store holds, by key.
SELECT v.name, v.value
FROM store_values AS v
JOIN projects AS p ON p.key = v.project_key
WHERE p.id = ? AND p.deleted_at IS NULL AND (v.expires_at IS NULL OR v.expires_at > ?)
ORDER BY v.name;

-- name: find_published
-- A published value that has not expired.
SELECT v.value
FROM store_values AS v
JOIN projects AS p ON p.key = v.project_key
WHERE p.id = ? AND p.deleted_at IS NULL AND v.name = ? AND v.is_published = 1
  AND (v.expires_at IS NULL OR v.expires_at > ?);

-- name: delete_expired_values
-- Some values that have expired.
DELETE FROM store_values WHERE key IN (SELECT key FROM store_values WHERE expires_at <= ? LIMIT ?);

-- name: delete_expired_values_of_project
-- All values of a project that have expired.
DELETE FROM store_values WHERE project_key = ? AND expires_at <= ?;

-- name: delete_values_of_project
-- Some values of a project.
DELETE FROM store_values WHERE key IN (SELECT key FROM store_values WHERE project_key = ? LIMIT ?);
