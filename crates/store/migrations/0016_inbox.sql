-- What people were told, and which kinds they do not want to be told.
CREATE TABLE inbox_notifications (
    id uuid PRIMARY KEY,
    user_id uuid NOT NULL REFERENCES users ON DELETE CASCADE,
    -- Its kind, as the program knows it.
    template_id uuid NOT NULL,
    -- What it speaks of.
    targets uuid[] NOT NULL,
    title text NOT NULL,
    content text NOT NULL,
    icon text NOT NULL,
    actions jsonb NOT NULL DEFAULT '[]',
    read_at timestamptz,
    created_at timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX inbox_notifications_user ON inbox_notifications (user_id, created_at DESC, id DESC);

CREATE TABLE notification_preferences (
    user_id uuid NOT NULL REFERENCES users ON DELETE CASCADE,
    template_id uuid NOT NULL,
    disabled boolean NOT NULL,
    updated_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (user_id, template_id)
);
