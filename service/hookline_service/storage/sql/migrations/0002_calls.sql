-- What sessions ask of the service while they run: subscriptions, signals, children, the project's store, outcomes.

ALTER TABLE sessions ADD COLUMN parent_id TEXT;
ALTER TABLE sessions ADD COLUMN memo BLOB;
ALTER TABLE sessions ADD COLUMN forked_from TEXT;

CREATE TABLE subscriptions (
    key INTEGER PRIMARY KEY,
    id TEXT NOT NULL UNIQUE,
    session_key INTEGER NOT NULL REFERENCES sessions ON DELETE CASCADE,
    source TEXT NOT NULL,
    filter TEXT NOT NULL,
    created_at INTEGER NOT NULL
) STRICT;
CREATE INDEX subscriptions_by_session ON subscriptions (session_key);

-- An event that waits in a subscription; the one with the smallest key is taken first.
CREATE TABLE deliveries (
    key INTEGER PRIMARY KEY,
    subscription_key INTEGER NOT NULL REFERENCES subscriptions ON DELETE CASCADE,
    event_key INTEGER NOT NULL REFERENCES events ON DELETE CASCADE
) STRICT;
CREATE INDEX deliveries_by_subscription ON deliveries (subscription_key, key);
CREATE INDEX deliveries_by_event ON deliveries (event_key);

CREATE TABLE signals (
    key INTEGER PRIMARY KEY,
    session_key INTEGER NOT NULL REFERENCES sessions ON DELETE CASCADE,
    name TEXT NOT NULL,
    payload BLOB NOT NULL
) STRICT;
CREATE INDEX signals_by_session ON signals (session_key, name, key);

-- What a waiting session waits for besides its time: sub:<id of a subscription>, sig:<name of a signal>.
CREATE TABLE waits (
    session_key INTEGER NOT NULL REFERENCES sessions ON DELETE CASCADE,
    topic TEXT NOT NULL,
    PRIMARY KEY (session_key, topic)
) STRICT, WITHOUT ROWID;

CREATE TABLE store_values (
    key INTEGER PRIMARY KEY,
    project_key INTEGER NOT NULL REFERENCES projects ON DELETE CASCADE,
    name TEXT NOT NULL,
    value BLOB NOT NULL,
    is_published INTEGER NOT NULL,
    expires_at INTEGER,
    updated_at INTEGER NOT NULL
) STRICT;
CREATE UNIQUE INDEX store_values_by_name ON store_values (project_key, name);
CREATE INDEX store_values_expiring ON store_values (expires_at) WHERE expires_at IS NOT NULL;

-- An outcome stays with its event, also when the session that recorded it is deleted before.
CREATE TABLE outcomes (
    key INTEGER PRIMARY KEY,
    event_key INTEGER NOT NULL REFERENCES events ON DELETE CASCADE,
    session_id TEXT NOT NULL,
    at INTEGER NOT NULL,
    value BLOB NOT NULL
) STRICT;
CREATE INDEX outcomes_by_event ON outcomes (event_key, key);

DROP VIEW session_values;
CREATE VIEW session_values AS
SELECT s.id, p.id AS project_id, b.id AS build_id, d.id AS deployment_id, t.id AS trigger_id, e.id AS event_id,
       s.entry_point, s.state, s.is_durable, s.created_at, s.input, s.started_at, s.ended_at, s.wake_at,
       s.deadline_at, s.attempt, s.error_type, s.error_message, s.error_traceback, s.stop_reason, s.result,
       s.retry_of, s.retry_number, s.scheduled_for, s.parent_id, s.memo, s.forked_from,
       s.project_key, s.deployment_key, s.trigger_key, s.event_key, s.due_at
FROM sessions AS s
JOIN projects AS p ON p.key = s.project_key
JOIN builds AS b ON b.key = s.build_key
LEFT JOIN deployments AS d ON d.key = s.deployment_key
LEFT JOIN triggers AS t ON t.key = s.trigger_key
LEFT JOIN events AS e ON e.key = s.event_key;

PRAGMA user_version = 2;
