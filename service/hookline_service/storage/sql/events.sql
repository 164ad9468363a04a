-- name: insert_event
-- An event, unless its id or its delivery was recorded before.
INSERT INTO events (id, project_key, trigger_key, source, type, delivery_id, created_at, started, redispatch_of, data, body)
VALUES (
    :id, :project_key, :trigger_key, :source, :type, :delivery_id, :created_at, :started, :redispatch_of, :data,
    :body
)
ON CONFLICT DO NOTHING;

-- name: find_event_key
-- The number of an event.
SELECT key, id FROM events WHERE id = ?;

-- name: find_delivery_of_trigger
-- The event that a trigger's delivery was recorded as.
SELECT key, id FROM events WHERE trigger_key = ? AND delivery_id = ? AND source IS NULL;

-- name: find_delivery_of_source
-- The event that a source's delivery was recorded as.
SELECT key, id FROM events WHERE source = ? AND delivery_id = ?;

-- name: list_session_ids_of_event
-- The sessions that an event started, oldest first.
SELECT id FROM sessions WHERE event_key = ? ORDER BY id;

-- name: find_event
-- The event of an id.
SELECT id, project_id, trigger_id, source, type, data, body, delivery_id, created_at, redispatch_of
FROM event_values WHERE id = ?;

-- name: list_events
-- Events below an id, of a type if one is given, newest first; without what they carry.
SELECT id, project_id, trigger_id, source, type, X'7B7D' AS data, NULL AS body, delivery_id, created_at, redispatch_of
FROM event_values WHERE id < ?1 AND (?2 IS NULL OR type = ?2) ORDER BY id DESC LIMIT ?3;

-- name: list_events_of_project
-- Events of a project.
SELECT id, project_id, trigger_id, source, type, X'7B7D' AS data, NULL AS body, delivery_id, created_at, redispatch_of
FROM event_values WHERE project_key = ?4 AND id < ?1 AND (?2 IS NULL OR type = ?2) ORDER BY id DESC LIMIT ?3;

-- name: list_events_of_trigger
-- Events of a trigger.
SELECT id, project_id, trigger_id, source, type, X'7B7D' AS data, NULL AS body, delivery_id, created_at, redispatch_of
FROM event_values WHERE trigger_key = ?4 AND id < ?1 AND (?2 IS NULL OR type = ?2) ORDER BY id DESC LIMIT ?3;

-- name: list_arrivals_of_trigger
-- Which events of a trigger came above an id, newest first.
SELECT id, type FROM events WHERE trigger_key = ?1 AND id > ?2 ORDER BY id DESC LIMIT ?3;

-- name: list_arrivals_of_source
-- The same for another source, among the newest so many events of its project.
SELECT id, type FROM events
WHERE project_key = ?1 AND source = ?5
  AND id > max(?2, coalesce((SELECT id FROM events WHERE project_key = ?1 ORDER BY id DESC LIMIT 1 OFFSET ?4), ''))
ORDER BY id DESC LIMIT ?3;

-- name: list_events_of_deployment
-- Events that started a session of a deployment, among those of its project.
SELECT v.id, v.project_id, v.trigger_id, v.source, v.type, X'7B7D' AS data, NULL AS body, v.delivery_id, v.created_at, v.redispatch_of
FROM event_values AS v
WHERE v.project_key = ?4 AND v.id < ?1 AND (?2 IS NULL OR v.type = ?2)
  AND EXISTS (SELECT 1 FROM sessions AS s WHERE s.event_key = v.key AND +s.deployment_key = ?5)
ORDER BY v.id DESC LIMIT ?3;
