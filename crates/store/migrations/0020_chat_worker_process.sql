-- Which process of which machine a replica is, so that one that comes after it on the same machine
-- knows at once that it died; empty where that cannot be told.
ALTER TABLE chat_workers ADD COLUMN process text NOT NULL DEFAULT '';
