-- What a version of a template tells AI agents that work in its workspaces: its file AGENTS.md.
ALTER TABLE template_versions ADD COLUMN agent_instructions text NOT NULL DEFAULT '';
