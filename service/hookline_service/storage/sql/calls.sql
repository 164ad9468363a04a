-- name: find_session_state
-- The state of a session.
SELECT state FROM sessions WHERE key = ?;

-- name: find_project_of_session
-- The id of a session's project.
SELECT p.id FROM sessions AS s JOIN projects AS p ON p.key = s.project_key WHERE s.key = ?;

-- name: find_reachable
-- State and project of a session that is of the project of another one, its child or its parent.
SELECT target.state, p.id
FROM sessions AS target, sessions AS caller
JOIN projects AS p ON p.key = target.project_key
WHERE target.key = ? AND caller.key = ?
  AND (target.project_key = caller.project_key OR target.parent_id IS caller.id OR caller.parent_id IS target.id);

-- name: find_recorded
-- What a session's journal has at a position.
SELECT kind, ok, encoding, value FROM journal WHERE session_key = ? AND branch = ? AND position = ?;

-- name: find_trigger_of_name
-- The trigger of a name in a project, for a session: one in force, or the last that was, when its deployment is not
-- in force any more.
SELECT t.id
FROM triggers AS t
WHERE t.project_key = ?1 AND t.name = ?2
AND (
    t.deployment_key IS NOT NULL
    OR (SELECT d.state FROM sessions AS s JOIN deployments AS d ON d.key = s.deployment_key WHERE s.key = ?3) <> 'active'
)
ORDER BY t.deployment_key IS NULL, t.key DESC
LIMIT 1;

-- name: has_connection
-- Whether a project has a connection of this name.
SELECT EXISTS (SELECT 1 FROM connections WHERE project_key = ? AND name = ?);

-- name: list_sources
-- The names of the triggers in force and the connections of a project.
SELECT name FROM trigger_values WHERE project_key = ?1
UNION
SELECT name FROM connections WHERE project_key = ?1
ORDER BY name;

-- name: count_subscriptions
-- How many subscriptions a session has.
SELECT count(*) FROM subscriptions WHERE session_key = ?;

-- name: insert_subscription
-- A subscription of a session.
INSERT INTO subscriptions (id, session_key, source, filter, created_at) VALUES (?, ?, ?, ?, ?);

-- name: delete_subscription
-- End a subscription of a session, with what waits in it.
DELETE FROM subscriptions WHERE id = ? AND session_key = ?;

-- name: clear_subscriptions
-- End all subscriptions of a session.
DELETE FROM subscriptions WHERE session_key = ?;

-- name: list_subscriptions
-- Subscriptions above an id, by id.
SELECT u.id, s.id AS session_id, p.id AS project_id, u.source, u.filter, u.created_at
FROM subscriptions AS u
JOIN sessions AS s ON s.key = u.session_key
JOIN projects AS p ON p.key = s.project_key
WHERE u.id > ? AND p.deleted_at IS NULL
ORDER BY u.id LIMIT ?;

-- name: insert_deliveries
-- Put an event into those of these subscriptions (a JSON list of ids) that are there and belong to its project.
INSERT INTO deliveries (subscription_key, event_key)
SELECT u.key, ?2
FROM subscriptions AS u
JOIN sessions AS s ON s.key = u.session_key
WHERE u.id IN (SELECT value FROM json_each(?1)) AND +s.project_key = ?3;

-- name: wake_subscribers
-- Sessions that wait for a subscription into which this event was put are due at a time.
UPDATE sessions SET wake_at = min(coalesce(wake_at, ?2), ?2)
WHERE state = 'waiting' AND key IN (
    SELECT u.session_key
    FROM deliveries AS d
    JOIN subscriptions AS u ON u.key = d.subscription_key
    JOIN waits AS w ON w.session_key = u.session_key AND w.topic = 'sub:' || u.id
    WHERE d.event_key = ?1
);

-- name: list_receivers
-- The sessions into whose subscriptions an event was put, and these.
SELECT DISTINCT s.id, u.id
FROM deliveries AS d
JOIN subscriptions AS u ON u.key = d.subscription_key
JOIN sessions AS s ON s.key = u.session_key
WHERE d.event_key = ?
ORDER BY s.id, u.id;

-- name: find_oldest_delivery
-- A subscription of a session, and the oldest delivery in it, if any.
SELECT u.key, (SELECT min(d.key) FROM deliveries AS d WHERE d.subscription_key = u.key) AS oldest
FROM subscriptions AS u WHERE u.id = ? AND u.session_key = ?;

-- name: find_first_subscription
-- Of some subscriptions (a JSON list of ids) the place of the first that is none of the session's, and of the first in
-- which an event is.
SELECT min(CASE WHEN u.key IS NULL THEN json_each.key END) AS unknown,
       min(CASE WHEN EXISTS (SELECT 1 FROM deliveries AS d WHERE d.subscription_key = u.key) THEN json_each.key END) AS first
FROM json_each(?) LEFT JOIN subscriptions AS u ON u.id = json_each.value AND u.session_key = ?;

-- name: find_delivered_event
-- The event of a delivery.
SELECT e.id, e.type, e.data, e.body FROM deliveries AS d JOIN events AS e ON e.key = d.event_key WHERE d.key = ?;

-- name: delete_delivery
-- A delivery is taken.
DELETE FROM deliveries WHERE key = ?;

-- name: insert_signal
-- Queue a signal for a session.
INSERT INTO signals (session_key, name, payload) VALUES (?, ?, ?);

-- name: find_oldest_signal
-- The signal of a name that a session takes next.
SELECT key, payload FROM signals WHERE session_key = ? AND name = ? ORDER BY key LIMIT 1;

-- name: find_first_name
-- The place of the first of some names (a JSON list) under which a signal is queued for a session.
SELECT min(json_each.key) FROM json_each(?)
WHERE EXISTS (SELECT 1 FROM signals AS g WHERE g.session_key = ? AND g.name = json_each.value);

-- name: delete_signal
-- A signal is taken.
DELETE FROM signals WHERE key = ?;

-- name: clear_signals
-- Drop all signals of a session.
DELETE FROM signals WHERE session_key = ?;

-- name: wake_for_topic
-- A session that waits for this topic is due at a time.
UPDATE sessions SET wake_at = min(coalesce(wake_at, ?3), ?3)
WHERE key = ?1 AND state = 'waiting' AND EXISTS (SELECT 1 FROM waits AS w WHERE w.session_key = ?1 AND w.topic = ?2);

-- name: wake_session
-- A waiting session is due at a time.
UPDATE sessions SET wake_at = min(coalesce(wake_at, ?2), ?2) WHERE key = ?1 AND state = 'waiting';

-- name: insert_wait
-- A topic for which a session waits.
INSERT INTO waits (session_key, topic) VALUES (?, ?) ON CONFLICT DO NOTHING;

-- name: clear_waits
-- A session waits for nothing.
DELETE FROM waits WHERE session_key = ?;

-- name: list_waits
-- What sessions (a JSON list of ids) wait for, with the sources of subscriptions.
SELECT s.id AS session_id, w.topic, coalesce(u.source, '') AS source
FROM sessions AS s
JOIN waits AS w ON w.session_key = s.key
LEFT JOIN subscriptions AS u ON w.topic = 'sub:' || u.id AND u.session_key = s.key
WHERE s.id IN (SELECT value FROM json_each(?)) AND s.state = 'waiting'
ORDER BY s.id, w.topic;

-- name: find_parent_to_tell
-- The number of a session's unfinished parent, the session's id, and the parent's project.
SELECT p.key, s.id, j.id
FROM sessions AS s
JOIN sessions AS p ON p.id = s.parent_id
JOIN projects AS j ON j.key = p.project_key
WHERE s.key = ? AND p.state IN ('created', 'running', 'waiting');

-- name: find_event_key_in_project
-- The number of an event of a project.
SELECT key FROM events WHERE id = ? AND project_key = ?;

-- name: insert_outcome
-- An outcome of an event.
INSERT INTO outcomes (event_key, session_id, at, value) VALUES (?, ?, ?, ?);

-- name: list_outcomes
-- Outcomes of an event in the order they were recorded.
SELECT o.session_id, o.at, o.value, p.id AS project_id
FROM outcomes AS o
JOIN events AS e ON e.key = o.event_key
JOIN projects AS p ON p.key = e.project_key
WHERE e.id = ? ORDER BY o.key;
