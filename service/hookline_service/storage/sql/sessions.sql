-- name: insert_session
-- A session; one whose id exists is left as it is.
INSERT INTO sessions (
    id, project_key, build_key, deployment_key, trigger_key, event_key, entry_point, state, is_durable, attempt,
    created_at, started_at, ended_at, wake_at, deadline_at, scheduled_for, retry_of, retry_number, stop_reason,
    error_type, error_message, error_traceback, input, result, parent_id, memo, forked_from,
    generation, starter_key, weight
) VALUES (
    :id, :project_key, :build_key, :deployment_key, :trigger_key, :event_key, :entry_point, :state, :is_durable,
    :attempt, :created_at, :started_at, :ended_at, :wake_at, :deadline_at, :scheduled_for, :retry_of,
    :retry_number, :stop_reason, :error_type, :error_message, :error_traceback, :input, :result, :parent_id, :memo,
    :forked_from, :generation, :starter_key, :weight
)
ON CONFLICT (id) DO NOTHING;

-- name: weigh_children_not_begun
-- How much the sessions weigh that sessions of a project started and that have not begun.
SELECT coalesce(sum(weight), 0) FROM sessions WHERE starter_key = ? AND state = 'created';

-- name: find_session_key
-- The number of a session.
SELECT key FROM sessions WHERE id = ?;

-- name: find_session
-- The session of an id.
SELECT * FROM session_values WHERE id = ?;

-- name: find_answer
-- What the function of a session returned, if it was kept, and its project.
SELECT s.answer, p.id AS project_id FROM sessions AS s JOIN projects AS p ON p.key = s.project_key WHERE s.id = ?;

-- name: list_sessions
-- Sessions below an id, in a state if one is given, newest first.
SELECT * FROM session_values WHERE id < ?1 AND (?2 IS NULL OR state = ?2) ORDER BY id DESC LIMIT ?3;

-- name: list_sessions_in_state
-- Unfinished sessions in one state below an id, newest first.
SELECT * FROM session_values
WHERE id < ?1 AND state = ?2 AND state IN ('created', 'running', 'waiting') ORDER BY id DESC LIMIT ?3;

-- name: list_sessions_of_project
-- Sessions of a project in one state below an id, newest first.
SELECT * FROM session_values WHERE project_key = ? AND state = ? AND id < ? ORDER BY id DESC LIMIT ?;

-- name: list_sessions_of_deployment
-- Sessions of a deployment in one state below an id, newest first.
SELECT * FROM session_values WHERE deployment_key = ? AND state = ? AND id < ? ORDER BY id DESC LIMIT ?;

-- name: list_sessions_of_trigger
-- Sessions of a trigger in one state below an id, of a deployment if one is given, newest first.
SELECT * FROM session_values
WHERE trigger_key = ?1 AND state = ?2 AND id < ?3 AND (?5 IS NULL OR +deployment_key = ?5)
ORDER BY id DESC LIMIT ?4;

-- name: list_sessions_of_event
-- Sessions of an event below an id, in a state, of a deployment and a trigger if they are given, newest first.
SELECT * FROM session_values
WHERE event_key = ?4 AND +id < ?1 AND (?2 IS NULL OR +state = ?2) AND (?5 IS NULL OR +deployment_key = ?5)
  AND (?6 IS NULL OR +trigger_key = ?6)
ORDER BY +id DESC LIMIT ?3;

-- name: list_unfinished
-- Unfinished sessions in one state above an id, oldest first.
SELECT * FROM session_values
WHERE state = ?1 AND state IN ('created', 'running', 'waiting') AND id > ?2 ORDER BY id LIMIT ?3;

-- name: list_finished
-- Sessions in one final state above an id, oldest first.
SELECT * FROM session_values WHERE state = ?1 AND id > ?2 ORDER BY id LIMIT ?3;

-- name: list_due
-- Created and waiting sessions whose time has come, earliest first.
SELECT * FROM session_values WHERE due_at <= ? ORDER BY due_at LIMIT ?;

-- name: list_created_of_project
-- Sessions of a project that have not begun above an id, oldest first.
SELECT * FROM session_values WHERE project_key = ? AND state = 'created' AND id > ? ORDER BY id LIMIT ?;

-- name: list_due_of_project
-- Created and waiting sessions of a project whose time has come, earliest first.
SELECT * FROM session_values WHERE project_key = ? AND due_at <= ? ORDER BY due_at LIMIT ?;

-- name: list_projects_in_need
-- The projects with sessions that have not begun, or whose time has come.
SELECT p.id FROM projects AS p
WHERE p.deleted_at IS NULL AND (
    EXISTS (SELECT 1 FROM sessions AS s WHERE s.project_key = p.key AND s.state = 'created')
    OR EXISTS (SELECT 1 FROM sessions AS s WHERE s.project_key = p.key AND s.due_at <= ?)
)
ORDER BY p.key;

-- name: next_due_at
-- When the next created or waiting session is due.
SELECT due_at FROM sessions WHERE due_at IS NOT NULL ORDER BY due_at LIMIT 1;

-- name: count_unfinished
-- Sessions of a trigger that are not final.
SELECT count(*) FROM sessions
WHERE trigger_key = (SELECT key FROM triggers WHERE id = ?) AND state IN ('created', 'running', 'waiting');

-- name: change_session
-- Apply a change while the session is not final and its attempt is the expected one.
UPDATE sessions
SET state = :state,
    attempt = coalesce(:attempt, attempt),
    started_at = CASE WHEN :attempt IS NULL THEN started_at ELSE coalesce(started_at, :at) END,
    ended_at = CASE WHEN :is_final THEN :at END,
    wake_at = CASE WHEN :is_final OR :state = 'running' THEN NULL ELSE coalesce(:wake_at, wake_at) END,
    deadline_at = CASE WHEN :is_final THEN NULL ELSE coalesce(:deadline_at, deadline_at) END,
    error_type = coalesce(:error_type, error_type),
    error_message = coalesce(:error_message, error_message),
    error_traceback = coalesce(:error_traceback, error_traceback),
    stop_reason = coalesce(nullif(:stop_reason, ''), stop_reason),
    result = coalesce(:result, result),
    answer = CASE WHEN :is_final AND parent_id IS NULL THEN :answer END
WHERE key = :key AND attempt = :expected_attempt AND state IN ('created', 'running', 'waiting');

-- name: begin_attempt
-- The row of an attempt that begins.
INSERT INTO attempts (session_key, number, runner, started_at, detail) VALUES (?, ?, ?, ?, '')
ON CONFLICT (session_key, number) DO NOTHING;

-- name: end_attempt
-- Close the row of an attempt; one that is closed stays as it is.
UPDATE attempts SET ended_at = ?3, outcome = ?4, detail = ?5
WHERE session_key = ?1 AND number = ?2 AND ended_at IS NULL;

-- name: list_attempts
-- Attempts of a session, oldest first.
SELECT a.number, a.runner, a.started_at, a.ended_at, a.outcome, a.detail
FROM attempts AS a
JOIN sessions AS s ON s.key = a.session_key
WHERE s.id = ?
ORDER BY a.number;
