-- Whose a chat's pull request is, where it goes, and how its reviews stand.

ALTER TABLE chat_diff_statuses
    ADD COLUMN author_login text NOT NULL DEFAULT '',
    ADD COLUMN author_avatar_url text NOT NULL DEFAULT '',
    ADD COLUMN base_branch text NOT NULL DEFAULT '',
    ADD COLUMN commits integer NOT NULL DEFAULT 0,
    ADD COLUMN approved boolean NOT NULL DEFAULT false,
    ADD COLUMN reviewer_count integer NOT NULL DEFAULT 0;
