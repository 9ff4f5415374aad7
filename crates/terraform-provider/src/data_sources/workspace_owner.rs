//! `coder_workspace_owner`: who owns the workspace that is being built.

use super::{DataSource, set};
use crate::context::Context;
use crate::diagnostics::Diagnostic;
use crate::schema::{Attribute, Block, Type};
use crate::text::uuid;
use crate::value::{Object, Value};

/// The data source.
pub const DATA_SOURCE: DataSource = DataSource {
    name: "coder_workspace_owner",
    version: 0,
    block: &BLOCK,
    read,
};

const BLOCK: Block = Block::new(
    "The owner of the workspace that is being built.",
    &[
        Attribute::string("email").computed().about("E-mail address."),
        Attribute::string("full_name").computed().about("Full name."),
        Attribute::string_list("groups").about("Names of the owner's groups."),
        Attribute::string("id").computed().about("Identifier of the owner."),
        Attribute::string("login_type").computed().about("How the owner signs in, for example `password` or `oidc`."),
        Attribute::string("name").computed().about("Username."),
        Attribute::string("oidc_access_token")
            .computed()
            .sensitive()
            .about("Access token of the OpenID Connect provider that the owner signs in with; empty where there is none that is valid."),
        Attribute::object_list("rbac_roles", &[("name", Type::String), ("org_id", Type::String)])
            .about("The owner's roles; the organization of a site-wide role is empty."),
        Attribute::string("session_token")
            .computed()
            .sensitive()
            .about("A session token of the owner, made anew at each start."),
        Attribute::string("ssh_private_key").computed().sensitive().about("The owner's private SSH key, made by the deployment."),
        Attribute::string("ssh_public_key").computed().about("The owner's public SSH key."),
    ],
    &[],
);

fn read(state: &mut Object, _: &Object, context: &Context) -> Result<(), Vec<Diagnostic>> {
    let environment = &context.environment;
    let or_else = |name: &str, default: &str| {
        environment
            .non_empty(name)
            .unwrap_or_else(|| default.to_owned())
    };
    set(
        state,
        "id",
        environment
            .non_empty("CODER_WORKSPACE_OWNER_ID")
            .unwrap_or_else(uuid::random),
    );
    set(state, "name", or_else("CODER_WORKSPACE_OWNER", "default"));
    set(
        state,
        "full_name",
        or_else("CODER_WORKSPACE_OWNER_NAME", "default"),
    );
    set(
        state,
        "email",
        or_else("CODER_WORKSPACE_OWNER_EMAIL", "default@example.com"),
    );
    for (attribute, variable) in [
        ("ssh_public_key", "CODER_WORKSPACE_OWNER_SSH_PUBLIC_KEY"),
        ("ssh_private_key", "CODER_WORKSPACE_OWNER_SSH_PRIVATE_KEY"),
        ("session_token", "CODER_WORKSPACE_OWNER_SESSION_TOKEN"),
        (
            "oidc_access_token",
            "CODER_WORKSPACE_OWNER_OIDC_ACCESS_TOKEN",
        ),
    ] {
        set(state, attribute, environment.get(variable));
    }
    if let Some(login_type) = environment.non_empty("CODER_WORKSPACE_OWNER_LOGIN_TYPE") {
        set(state, "login_type", login_type);
    }

    let groups: Vec<String> = json(context, "CODER_WORKSPACE_OWNER_GROUPS", "user groups")?;
    let groups = groups.into_iter().map(Value::String).collect();
    state.insert("groups".to_owned(), Value::Sequence(groups));

    let roles: Vec<std::collections::BTreeMap<String, String>> = json(
        context,
        "CODER_WORKSPACE_OWNER_RBAC_ROLES",
        "user rbac roles",
    )?;
    let roles = roles.into_iter().map(|mut role| {
        let role = ["name", "org_id"].map(|name| {
            (
                name.to_owned(),
                role.remove(name).unwrap_or_default().into(),
            )
        });
        Value::Map(Object::from(role))
    });
    state.insert("rbac_roles".to_owned(), Value::Sequence(roles.collect()));
    Ok(())
}

/// Reads a list that is given in JSON; one that is not given, or is null, is empty.
fn json<T: serde::de::DeserializeOwned>(
    context: &Context,
    variable: &str,
    meaning: &str,
) -> Result<Vec<T>, Vec<Diagnostic>> {
    let Some(text) = context.environment.lookup(variable) else {
        return Ok(Vec::new());
    };
    serde_json::from_str::<Option<Vec<T>>>(&text)
        .map(Option::unwrap_or_default)
        .map_err(|error| {
            vec![Diagnostic::error(format!(
                "invalid {meaning}: {variable} is not a JSON list: {error}"
            ))]
        })
}

#[cfg(test)]
mod tests {
    use super::DATA_SOURCE;
    use crate::data_sources::testing::read;
    use crate::value::{Value, field, text};

    #[test]
    fn groups_and_roles_are_lists() {
        let state = read(
            &DATA_SOURCE,
            &[],
            &[
                ("CODER_WORKSPACE_OWNER_GROUPS", r#"["a","b"]"#),
                ("CODER_WORKSPACE_OWNER_RBAC_ROLES", r#"[{"name":"owner"}]"#),
                ("CODER_WORKSPACE_OWNER_NAME", ""),
            ],
        )
        .unwrap();
        assert_eq!(field(&state, "groups").elements().len(), 2);
        let role = field(&state, "rbac_roles").elements()[0]
            .as_object()
            .unwrap();
        assert_eq!(
            (text(role, "name"), field(role, "org_id")),
            ("owner", &Value::text(""))
        );
        assert_eq!(
            (text(&state, "full_name"), field(&state, "login_type")),
            ("default", &Value::Null)
        );
        let null = read(
            &DATA_SOURCE,
            &[],
            &[("CODER_WORKSPACE_OWNER_GROUPS", "null")],
        )
        .unwrap();
        assert_eq!(field(&null, "groups"), &Value::Sequence(vec![]));
    }

    #[test]
    fn what_is_no_list_is_refused() {
        for text in ["", "x", "{}", "[1]"] {
            let error =
                read(&DATA_SOURCE, &[], &[("CODER_WORKSPACE_OWNER_GROUPS", text)]).unwrap_err();
            assert!(error.contains("invalid user groups"), "{error}");
        }
        assert!(
            read(
                &DATA_SOURCE,
                &[],
                &[("CODER_WORKSPACE_OWNER_RBAC_ROLES", "[[]]")]
            )
            .is_err()
        );
    }
}
