-- Since when a waiting message is being changed by its owner.
ALTER TABLE chat_queued_messages ADD COLUMN editing_since timestamptz;
