-- Skills that users write for their AI agents.

CREATE TABLE user_skills (
    id uuid PRIMARY KEY,
    user_id uuid NOT NULL REFERENCES users ON DELETE CASCADE,
    name text NOT NULL,
    description text NOT NULL,
    -- The whole file, its head included.
    content text NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT user_skills_name_key UNIQUE (user_id, name)
);
