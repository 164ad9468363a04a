-- The first schema. Times are microseconds since 1970 in UTC. `key` is a row's small number inside this file;
-- `id` is the name the rest of the world knows. Ids sort by the time of their making.

PRAGMA application_id = 1214999662;

CREATE TABLE projects (
    key INTEGER PRIMARY KEY,
    id TEXT NOT NULL UNIQUE,
    name TEXT NOT NULL,
    display_name TEXT NOT NULL,
    created_at INTEGER NOT NULL,
    updated_at INTEGER NOT NULL,
    deleted_at INTEGER -- set while its rows are being removed in small steps; such a project is gone for every reader
) STRICT;
CREATE UNIQUE INDEX projects_by_name ON projects (name) WHERE deleted_at IS NULL;

CREATE TABLE variables (
    project_key INTEGER NOT NULL REFERENCES projects ON DELETE CASCADE,
    scope TEXT NOT NULL,
    name TEXT NOT NULL,
    value BLOB NOT NULL,
    is_secret INTEGER NOT NULL,
    description TEXT NOT NULL,
    updated_at INTEGER NOT NULL,
    PRIMARY KEY (project_key, scope, name)
) STRICT, WITHOUT ROWID;

CREATE TABLE connections (
    project_key INTEGER NOT NULL REFERENCES projects ON DELETE CASCADE,
    name TEXT NOT NULL,
    integration TEXT NOT NULL,
    PRIMARY KEY (project_key, name)
) STRICT, WITHOUT ROWID;

CREATE TABLE builds (
    key INTEGER PRIMARY KEY,
    id TEXT NOT NULL UNIQUE,
    project_key INTEGER NOT NULL REFERENCES projects,
    environment TEXT NOT NULL,
    file_count INTEGER NOT NULL,
    size_bytes INTEGER NOT NULL,
    created_at INTEGER NOT NULL,
    manifest BLOB NOT NULL
) STRICT;
CREATE INDEX builds_by_project ON builds (project_key, created_at);

CREATE TABLE archives (
    build_key INTEGER PRIMARY KEY REFERENCES builds ON DELETE CASCADE,
    content BLOB NOT NULL
) STRICT;

CREATE TABLE deployments (
    key INTEGER PRIMARY KEY,
    id TEXT NOT NULL UNIQUE,
    project_key INTEGER NOT NULL REFERENCES projects,
    build_key INTEGER NOT NULL REFERENCES builds,
    state TEXT NOT NULL,
    created_at INTEGER NOT NULL,
    activated_at INTEGER
) STRICT;
CREATE UNIQUE INDEX deployments_active ON deployments (project_key) WHERE state = 'active';
CREATE INDEX deployments_draining ON deployments (key) WHERE state = 'draining';
CREATE INDEX deployments_by_project ON deployments (project_key, id);
CREATE INDEX deployments_by_build ON deployments (build_key);

-- A trigger stays for ever, so that its name keeps id and slug; it is in force while deployment_key is set.
CREATE TABLE triggers (
    key INTEGER PRIMARY KEY,
    id TEXT NOT NULL UNIQUE,
    project_key INTEGER NOT NULL REFERENCES projects,
    deployment_key INTEGER REFERENCES deployments,
    name TEXT NOT NULL,
    slug TEXT UNIQUE,
    definition BLOB NOT NULL
) STRICT;
CREATE INDEX triggers_by_project ON triggers (project_key, name);
CREATE INDEX triggers_in_force ON triggers (deployment_key) WHERE deployment_key IS NOT NULL;

CREATE TABLE schedules (
    trigger_key INTEGER PRIMARY KEY REFERENCES triggers ON DELETE CASCADE,
    next_fire_at INTEGER,
    last_fire_at INTEGER,
    paused INTEGER NOT NULL,
    pause_reason TEXT NOT NULL,
    buffered TEXT NOT NULL -- JSON list of times
) STRICT;

-- source is NULL when it is the trigger itself. started counts the sessions recorded with the event.
CREATE TABLE events (
    key INTEGER PRIMARY KEY,
    id TEXT NOT NULL UNIQUE,
    project_key INTEGER NOT NULL REFERENCES projects,
    trigger_key INTEGER REFERENCES triggers,
    source TEXT,
    type TEXT NOT NULL,
    delivery_id TEXT,
    created_at INTEGER NOT NULL,
    started INTEGER NOT NULL,
    redispatch_of TEXT,
    data BLOB NOT NULL,
    body BLOB
) STRICT;
CREATE UNIQUE INDEX events_once_by_trigger ON events (trigger_key, delivery_id)
    WHERE delivery_id IS NOT NULL AND source IS NULL;
CREATE UNIQUE INDEX events_once_by_source ON events (source, delivery_id)
    WHERE delivery_id IS NOT NULL AND source IS NOT NULL;
CREATE INDEX events_by_project ON events (project_key, id);
CREATE INDEX events_by_trigger ON events (trigger_key, id) WHERE trigger_key IS NOT NULL;
CREATE INDEX events_idle ON events (created_at) WHERE started = 0;

CREATE TABLE sessions (
    key INTEGER PRIMARY KEY,
    id TEXT NOT NULL UNIQUE,
    project_key INTEGER NOT NULL REFERENCES projects,
    build_key INTEGER NOT NULL REFERENCES builds,
    deployment_key INTEGER REFERENCES deployments,
    trigger_key INTEGER REFERENCES triggers,
    event_key INTEGER REFERENCES events,
    entry_point TEXT NOT NULL,
    state TEXT NOT NULL,
    is_durable INTEGER NOT NULL,
    attempt INTEGER NOT NULL,
    created_at INTEGER NOT NULL,
    started_at INTEGER,
    ended_at INTEGER,
    wake_at INTEGER,
    deadline_at INTEGER,
    scheduled_for INTEGER,
    retry_of TEXT,
    retry_number INTEGER NOT NULL,
    stop_reason TEXT NOT NULL,
    error_type TEXT,
    error_message TEXT,
    error_traceback TEXT,
    input BLOB,
    result BLOB,
    due_at INTEGER GENERATED ALWAYS AS (
        CASE WHEN state IN ('created', 'waiting')
        THEN min(coalesce(wake_at, deadline_at), coalesce(deadline_at, wake_at)) END
    ) VIRTUAL
) STRICT;
-- The state stands before the id: counting by state and asking for one state read nothing else, and a listing of all
-- states merges six short ranges.
CREATE INDEX sessions_by_project ON sessions (project_key, state, id);
CREATE INDEX sessions_by_deployment ON sessions (deployment_key, state, id) WHERE deployment_key IS NOT NULL;
CREATE INDEX sessions_by_trigger ON sessions (trigger_key, state, id) WHERE trigger_key IS NOT NULL;
CREATE INDEX sessions_by_event ON sessions (event_key) WHERE event_key IS NOT NULL;
CREATE INDEX sessions_by_build ON sessions (build_key);
CREATE INDEX sessions_due ON sessions (due_at) WHERE due_at IS NOT NULL;
CREATE INDEX sessions_ended ON sessions (ended_at) WHERE ended_at IS NOT NULL;
CREATE INDEX sessions_unfinished ON sessions (state, id) WHERE state IN ('created', 'running', 'waiting');

CREATE TABLE attempts (
    session_key INTEGER NOT NULL REFERENCES sessions ON DELETE CASCADE,
    number INTEGER NOT NULL,
    runner TEXT NOT NULL,
    started_at INTEGER NOT NULL,
    ended_at INTEGER,
    outcome TEXT,
    detail TEXT NOT NULL,
    PRIMARY KEY (session_key, number)
) STRICT, WITHOUT ROWID;

-- Rows of many running sessions come interleaved, so both tables grow at their end, and only the index is by session.
CREATE TABLE journal (
    key INTEGER PRIMARY KEY,
    session_key INTEGER NOT NULL REFERENCES sessions ON DELETE CASCADE,
    branch TEXT NOT NULL,
    position INTEGER NOT NULL,
    seq INTEGER NOT NULL,
    attempt INTEGER NOT NULL,
    kind TEXT NOT NULL,
    name TEXT NOT NULL,
    file TEXT NOT NULL,
    line INTEGER NOT NULL,
    ok INTEGER NOT NULL,
    is_volatile INTEGER NOT NULL,
    encoding TEXT NOT NULL,
    started_at INTEGER NOT NULL,
    ended_at INTEGER NOT NULL,
    wake_at INTEGER,
    arguments BLOB NOT NULL,
    display BLOB NOT NULL,
    value BLOB NOT NULL
) STRICT;
CREATE UNIQUE INDEX journal_by_seq ON journal (session_key, seq);
CREATE UNIQUE INDEX journal_by_position ON journal (session_key, branch, position);

CREATE TABLE log (
    key INTEGER PRIMARY KEY,
    session_key INTEGER NOT NULL REFERENCES sessions ON DELETE CASCADE,
    seq INTEGER NOT NULL,
    attempt INTEGER NOT NULL,
    at INTEGER NOT NULL,
    kind TEXT NOT NULL,
    level TEXT NOT NULL,
    text TEXT NOT NULL
) STRICT;
CREATE UNIQUE INDEX log_by_seq ON log (session_key, seq);

CREATE VIEW deployment_values AS
SELECT d.id, p.id AS project_id, b.id AS build_id, d.state, d.created_at, d.activated_at,
       d.key, d.project_key, d.build_key
FROM deployments AS d
JOIN projects AS p ON p.key = d.project_key
JOIN builds AS b ON b.key = d.build_key;

CREATE VIEW build_values AS
SELECT b.id, p.id AS project_id, b.manifest, b.environment, b.file_count, b.size_bytes, b.created_at,
       b.key, b.project_key
FROM builds AS b
JOIN projects AS p ON p.key = b.project_key;

CREATE VIEW trigger_values AS
SELECT t.id, p.id AS project_id, d.id AS deployment_id, t.definition, t.slug,
       t.key, t.project_key, t.name
FROM triggers AS t
JOIN projects AS p ON p.key = t.project_key
JOIN deployments AS d ON d.key = t.deployment_key;

CREATE VIEW event_values AS
SELECT e.id, p.id AS project_id, t.id AS trigger_id, coalesce(e.source, 'trigger:' || t.id) AS source,
       e.type, e.data, e.body, e.delivery_id, e.created_at, e.redispatch_of,
       e.key, e.project_key, e.trigger_key
FROM events AS e
JOIN projects AS p ON p.key = e.project_key
LEFT JOIN triggers AS t ON t.key = e.trigger_key;

CREATE VIEW session_values AS
SELECT s.id, p.id AS project_id, b.id AS build_id, d.id AS deployment_id, t.id AS trigger_id, e.id AS event_id,
       s.entry_point, s.state, s.is_durable, s.created_at, s.input, s.started_at, s.ended_at, s.wake_at,
       s.deadline_at, s.attempt, s.error_type, s.error_message, s.error_traceback, s.stop_reason, s.result,
       s.retry_of, s.retry_number, s.scheduled_for,
       s.project_key, s.deployment_key, s.trigger_key, s.event_key, s.due_at
FROM sessions AS s
JOIN projects AS p ON p.key = s.project_key
JOIN builds AS b ON b.key = s.build_key
LEFT JOIN deployments AS d ON d.key = s.deployment_key
LEFT JOIN triggers AS t ON t.key = s.trigger_key
LEFT JOIN events AS e ON e.key = s.event_key;

PRAGMA user_version = 1;
