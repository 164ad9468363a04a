-- name: synchronous_full
-- A commit returns when it is on disk.
PRAGMA synchronous = FULL;

-- name: journal_mode_wal
-- Readers and the writer do not wait for each other.
PRAGMA journal_mode = WAL;

-- name: journal_mode_delete
-- A copy is one file without companions.
PRAGMA journal_mode = DELETE;

-- name: busy_timeout
-- Wait for a person who looks at the file with another program (milliseconds).
PRAGMA busy_timeout = 5000;

-- name: foreign_keys_on
-- Check references.
PRAGMA foreign_keys = ON;

-- name: writer_cache
-- At most 24 MB of pages in memory.
PRAGMA cache_size = -24000;

-- name: reader_cache
-- At most 6 MB of pages in memory for each reader.
PRAGMA cache_size = -6000;

-- name: temp_in_memory
-- Sorting needs no file.
PRAGMA temp_store = MEMORY;

-- name: wal_autocheckpoint
-- The commit that finds this many pages moves them to the main file; an idle writer does so long before.
PRAGMA wal_autocheckpoint = 8000;

-- name: journal_size_limit
-- A log that a long read made large is cut back to 64 MB.
PRAGMA journal_size_limit = 67108864;

-- name: secure_delete
-- Overwrite deleted content where that costs no extra write.
PRAGMA secure_delete = FAST;

-- name: auto_vacuum
-- Freed pages can be given back in small steps.
PRAGMA auto_vacuum = INCREMENTAL;

-- name: query_only
-- A reader cannot write.
PRAGMA query_only = ON;

-- name: checkpoint
-- Move committed pages from the log to the main file, as far as readers allow.
PRAGMA wal_checkpoint (PASSIVE);

-- name: give_back_page
-- Shorten the file by one free page; Python's driver takes only the first step of a longer run.
PRAGMA incremental_vacuum (1);

-- name: free_pages
-- How many pages are free.
PRAGMA freelist_count;

-- name: quick_check
-- What is wrong with the file: one row that says ok, or a row for each finding.
PRAGMA quick_check (20);

-- name: application_id
-- Whose file this is; 0 for a new one.
PRAGMA application_id;

-- name: mark_as_ours
-- Write again whose file this is: the least that can be written.
PRAGMA application_id = 1214999662;

-- name: user_version
-- The number of the last migration that was applied.
PRAGMA user_version;

-- name: count_tables
-- Whether the file is new.
SELECT count(*) FROM sqlite_schema;

-- name: begin
-- Begin a transaction that will write.
BEGIN IMMEDIATE;

-- name: commit
-- Put the transaction on disk.
COMMIT;

-- name: rollback
-- Undo the transaction.
ROLLBACK;

-- name: checkpoint_everything
-- Bring the whole log of writes into the file and empty it; nobody else may have the file open.
PRAGMA wal_checkpoint (TRUNCATE);
