-- The keys of sealed values of sessions, each in a box that a key of the installation opens: see docs/adr/0031.

CREATE TABLE value_keys (
    id INTEGER PRIMARY KEY,
    box BLOB NOT NULL
) STRICT;

PRAGMA user_version = 6;
