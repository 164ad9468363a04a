-- What the function of a session returned, while somebody may still ask for it: see docs/adr/0016.

ALTER TABLE sessions ADD COLUMN answer BLOB;

PRAGMA user_version = 3;
