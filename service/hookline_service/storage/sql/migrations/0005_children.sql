-- Children that have not begun are counted by the project whose session started them (starter_key), each with its weight; and
-- each session knows how many starts by sessions lie above it.

ALTER TABLE sessions ADD COLUMN starter_key INTEGER;
ALTER TABLE sessions ADD COLUMN weight INTEGER;
ALTER TABLE sessions ADD COLUMN generation INTEGER NOT NULL DEFAULT 0;

UPDATE sessions SET generation = 1 WHERE parent_id IS NOT NULL;
UPDATE sessions SET weight = 1, starter_key = (SELECT p.project_key FROM sessions AS p WHERE p.id = sessions.parent_id)
WHERE state = 'created' AND parent_id IS NOT NULL;

CREATE INDEX sessions_not_begun_by_starter ON sessions (starter_key, state, weight)
    WHERE state = 'created' AND starter_key IS NOT NULL;

DROP VIEW session_values;
CREATE VIEW session_values AS
SELECT s.id, p.id AS project_id, b.id AS build_id, d.id AS deployment_id, t.id AS trigger_id, e.id AS event_id,
       s.entry_point, s.state, s.is_durable, s.created_at, s.input, s.started_at, s.ended_at, s.wake_at,
       s.deadline_at, s.attempt, s.error_type, s.error_message, s.error_traceback, s.stop_reason, s.result,
       s.retry_of, s.retry_number, s.scheduled_for, s.parent_id, s.memo, s.forked_from, s.generation,
       s.project_key, s.deployment_key, s.trigger_key, s.event_key, s.due_at
FROM sessions AS s
JOIN projects AS p ON p.key = s.project_key
JOIN builds AS b ON b.key = s.build_key
LEFT JOIN deployments AS d ON d.key = s.deployment_key
LEFT JOIN triggers AS t ON t.key = s.trigger_key
LEFT JOIN events AS e ON e.key = s.event_key;

PRAGMA user_version = 5;
