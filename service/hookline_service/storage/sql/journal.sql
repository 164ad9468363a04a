-- name: insert_entry
-- A journal entry; one recorded before is left as it is.
INSERT INTO journal (
    session_key, branch, position, seq, attempt, kind, name, file, line, ok, is_volatile, encoding, started_at,
    ended_at, wake_at, arguments, display, value
) VALUES (
    :session_key, :branch, :index, :seq, :attempt, :kind, :name, :file, :line, :ok, :is_volatile, :encoding,
    :started_at, :ended_at, :wake_at, :arguments, :display, :value
)
ON CONFLICT DO NOTHING;

-- name: insert_log
-- A log record; one recorded before is left as it is.
INSERT INTO log (session_key, seq, attempt, at, kind, level, text) VALUES (:session_key, :seq, :attempt, :at, :kind, :level, :text)
ON CONFLICT (session_key, seq) DO NOTHING;

-- name: last_seq
-- The highest number used in a session's log and journal.
SELECT max(
    coalesce((SELECT max(j.seq) FROM journal AS j WHERE j.session_key = s.key), 0),
    coalesce((SELECT max(l.seq) FROM log AS l WHERE l.session_key = s.key), 0)
)
FROM sessions AS s WHERE s.id = ?;

-- name: count_entries
-- How many journal entries a session has.
SELECT count(*) FROM journal WHERE session_key = (SELECT key FROM sessions WHERE id = ?);

-- name: list_entries
-- Journal entries above a number, oldest first.
SELECT branch, position AS "index", seq, attempt, kind, name, file, line, ok, is_volatile, encoding, value, arguments, display,
       started_at, ended_at, wake_at
FROM journal WHERE session_key = (SELECT key FROM sessions WHERE id = ?) AND seq > ? ORDER BY seq LIMIT ?;

-- name: list_replay_rows
-- What a replay needs of the journal entries above a number, oldest first; wake_at in seconds.
SELECT branch, position AS "index", seq, kind, name, file, line, ok, is_volatile, encoding, value, wake_at / 1e6
FROM journal WHERE session_key = (SELECT key FROM sessions WHERE id = ?) AND seq > ? ORDER BY seq LIMIT ?;

-- name: list_log
-- Log records above a number, oldest first.
SELECT seq, attempt, at, kind, text, level
FROM log WHERE session_key = (SELECT key FROM sessions WHERE id = ?) AND seq > ? ORDER BY seq LIMIT ?;

-- name: list_logs_below
-- Log records of all sessions between two positions (the lower one included), newest first.
SELECT l.key, s.id AS session_id, l.seq, l.attempt, l.at, l.kind, l.text, l.level
FROM log AS l JOIN sessions AS s ON s.key = l.session_key
WHERE l.key < :upper AND l.key >= :lower AND l.at >= :since
  AND (:project IS NULL OR s.project_key = :project)
  AND (:text IS NULL OR instr(lower(l.text), lower(:text)) > 0)
  AND CASE WHEN l.kind = 'error' THEN 40 WHEN l.kind = 'warning' THEN 30
           WHEN l.kind <> 'log' THEN 20
           WHEN upper(l.level) IN ('ERROR', 'CRITICAL') THEN 40 WHEN upper(l.level) = 'WARNING' THEN 30
           WHEN upper(l.level) = 'DEBUG' THEN 10 ELSE 20 END >= :severity
ORDER BY l.key DESC LIMIT :limit;

-- name: list_logs_above
-- The same, oldest first.
SELECT l.key, s.id AS session_id, l.seq, l.attempt, l.at, l.kind, l.text, l.level
FROM log AS l JOIN sessions AS s ON s.key = l.session_key
WHERE l.key < :upper AND l.key >= :lower AND l.at >= :since
  AND (:project IS NULL OR s.project_key = :project)
  AND (:text IS NULL OR instr(lower(l.text), lower(:text)) > 0)
  AND CASE WHEN l.kind = 'error' THEN 40 WHEN l.kind = 'warning' THEN 30
           WHEN l.kind <> 'log' THEN 20
           WHEN upper(l.level) IN ('ERROR', 'CRITICAL') THEN 40 WHEN upper(l.level) = 'WARNING' THEN 30
           WHEN upper(l.level) = 'DEBUG' THEN 10 ELSE 20 END >= :severity
ORDER BY l.key LIMIT :limit;

-- name: last_log_position
-- The position of the newest log record.
SELECT coalesce(max(key), 0) FROM log;

-- name: newest_log_time
-- When the newest record below a position was made.
SELECT at FROM log WHERE key < ? ORDER BY key DESC LIMIT 1;

-- name: list_last_log
-- Log records above a number, newest first.
SELECT seq, attempt, at, kind, text, level
FROM log WHERE session_key = (SELECT key FROM sessions WHERE id = ?) AND seq > ? ORDER BY seq DESC LIMIT ?;
