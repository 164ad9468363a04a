-- name: find_session_end
-- The number and state of a session.
SELECT key, state FROM sessions WHERE id = ?;

-- name: list_ended_before
-- Final sessions that ended before a time, oldest first.
SELECT key, event_key FROM sessions WHERE ended_at < ? ORDER BY ended_at LIMIT ?;

-- name: count_ended_before
-- How many sessions ended before a time.
SELECT count(*) FROM sessions WHERE ended_at < ?;

-- name: list_sessions_to_remove_of_deployment
-- Some sessions of a deployment.
SELECT key, event_key FROM sessions WHERE deployment_key = ? LIMIT ?;

-- name: list_sessions_to_remove_of_project
-- Some sessions of a project.
SELECT key, event_key FROM sessions WHERE project_key = ? LIMIT ?;

-- name: find_session_to_remove
-- One session.
SELECT key, event_key FROM sessions WHERE key = ?;

-- name: shorten_journal
-- The last entries of a session, up to a number: what is left is how it began.
DELETE FROM journal WHERE key IN (SELECT key FROM journal WHERE session_key = ? ORDER BY seq DESC LIMIT ?);

-- name: shorten_log
-- The last log records of a session, up to a number.
DELETE FROM log WHERE key IN (SELECT key FROM log WHERE session_key = ? ORDER BY seq DESC LIMIT ?);

-- name: delete_session
-- A session with its attempts, log and journal, subscriptions and signals.
DELETE FROM sessions WHERE key = ?;

-- name: delete_event_without_sessions
-- An event that no session names any more, and that waits in no subscription.
DELETE FROM events
WHERE key = ?1
  AND NOT EXISTS (SELECT 1 FROM sessions AS s WHERE s.event_key = ?1)
  AND NOT EXISTS (SELECT 1 FROM deliveries AS d WHERE d.event_key = ?1);

-- name: release_event
-- An event that no session names any more but that still waits: what it started counts no longer, so that it goes with the idle ones.
UPDATE events SET started = 0
WHERE key = ?1 AND started <> 0 AND NOT EXISTS (SELECT 1 FROM sessions AS s WHERE s.event_key = ?1);

-- name: list_idle_events_before
-- Events before a time that started nothing and wait in no subscription. Looks at all that wait for long, so it is for readers.
SELECT e.key FROM events AS e
WHERE e.started = 0 AND e.created_at < ?
  AND NOT EXISTS (SELECT 1 FROM sessions AS s WHERE s.event_key = e.key)
  AND NOT EXISTS (SELECT 1 FROM deliveries AS d WHERE d.event_key = e.key)
LIMIT ?;

-- name: delete_idle_events
-- Of some events (a JSON list of numbers) those that started nothing and wait in no subscription.
DELETE FROM events
WHERE key IN (SELECT value FROM json_each(?)) AND started = 0
  AND NOT EXISTS (SELECT 1 FROM sessions AS s WHERE s.event_key = events.key)
  AND NOT EXISTS (SELECT 1 FROM deliveries AS d WHERE d.event_key = events.key);

-- name: delete_events_of_project
-- Some events of a project.
DELETE FROM events WHERE key IN (SELECT key FROM events WHERE project_key = ? LIMIT ?);
