-- What chats of an organization are told beside the deployment's own prompt.
CREATE TABLE organization_chat_prompts (
    organization_id uuid PRIMARY KEY REFERENCES organizations ON DELETE CASCADE,
    prompt text NOT NULL,
    updated_at timestamptz NOT NULL DEFAULT now()
);
