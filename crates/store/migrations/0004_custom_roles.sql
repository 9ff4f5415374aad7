-- Roles that organizations make themselves.

CREATE TABLE custom_roles (
    organization_id uuid NOT NULL REFERENCES organizations ON DELETE CASCADE,
    name text NOT NULL,
    display_name text NOT NULL DEFAULT '',
    -- What it grants on everything of the organization: `<resource type>:<action>` each.
    permissions text[] NOT NULL DEFAULT '{}',
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (organization_id, name)
);
CREATE UNIQUE INDEX custom_roles_name_key ON custom_roles (organization_id, lower(name));

-- A role that is gone is gone from its holders too.
CREATE FUNCTION strip_custom_role() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    UPDATE organization_members SET roles = array_remove(roles, OLD.name), updated_at = now()
        WHERE organization_id = OLD.organization_id AND OLD.name = ANY (roles);
    RETURN OLD;
END $$;
CREATE TRIGGER custom_roles_strip AFTER DELETE ON custom_roles
    FOR EACH ROW EXECUTE FUNCTION strip_custom_role();
