-- Several replicas and chats: where each is reached, so that viewers at one see live what another
-- generates; and what was said of an answer under way, so that it outlives the replica.

-- The URL by which other replicas reach this one; empty if it was given none.
ALTER TABLE chat_workers ADD COLUMN url text NOT NULL DEFAULT '';

-- Pieces of the answer of one attempt, in order. Its rows go when the answer becomes a message.
CREATE TABLE chat_partials (
    chat_id uuid NOT NULL REFERENCES chats ON DELETE CASCADE,
    history_version bigint NOT NULL,
    generation_attempt bigint NOT NULL,
    seq integer NOT NULL,
    content jsonb NOT NULL,
    PRIMARY KEY (chat_id, history_version, generation_attempt, seq)
);
