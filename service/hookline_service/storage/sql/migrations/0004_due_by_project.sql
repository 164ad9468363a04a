-- Sessions whose time has come are found by project, too, so that many of one do not hide those of another.

CREATE INDEX sessions_due_by_project ON sessions (project_key, due_at) WHERE due_at IS NOT NULL;

PRAGMA user_version = 4;
