-- Who told of a use: the agent, or the client itself (experiment workspace-usage).

ALTER TABLE workspace_agent_stats ADD COLUMN usage boolean NOT NULL DEFAULT false;
