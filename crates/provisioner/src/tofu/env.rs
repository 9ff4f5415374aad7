//! The environment in which Terraform runs: what passes through, and what the `coder` provider
//! reads (names and meanings as in terraform-provider-coder 2.x).

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::Path;

use rpc::proto::provisioner::{
    ExternalAuthProvider, Metadata, PrebuiltWorkspaceBuildStage, RichParameterValue,
    WorkspaceTransition,
};
use serde::Serialize;
use sha2::{Digest, Sha256};

use super::ToolConfig;

/// Variables of the server's own environment that would move things that we must find again.
const DROPPED: [&str; 3] = ["TF_DATA_DIR", "TF_WORKSPACE", "TF_CLI_CONFIG_FILE"];
/// Appended to the user agent that AWS sees.
const AWS_USER_AGENT: &str = "APN_1.1/pc_cdfmjwn8i6u8l9fwz8h82e4w3$";

/// Names and values.
pub type Environment = Vec<(String, OsString)>;

/// What a plan is made for.
#[derive(Debug, Clone, Copy)]
pub struct Inputs<'a> {
    /// Workspace, owner, template.
    pub metadata: &'a Metadata,
    /// Parameter values of this build.
    pub parameters: &'a [RichParameterValue],
    /// Parameter values of the build before.
    pub previous: &'a [RichParameterValue],
    /// Tokens of external authentication.
    pub external_auth: &'a [ExternalAuthProvider],
    /// Whether Terraform logs in detail.
    pub debug: bool,
}

/// The environment of commands that do not evaluate the template, such as `init`.
pub fn basic(base: &BTreeMap<String, OsString>, config: &ToolConfig) -> Environment {
    let mut env: Environment = base
        .iter()
        .filter(|(name, _)| !name.starts_with("CODER_") && !DROPPED.contains(&name.as_str()))
        .map(|(name, value)| (name.clone(), value.clone()))
        .collect();
    let mut set = |name: &str, value: &Path| env.push((name.to_owned(), value.into()));
    set("TF_CLI_CONFIG_FILE", &config.file);
    set("TF_PLUGIN_CACHE_DIR", &config.plugin_cache);
    // Without a lock file in the template the cache would be filled but never used.
    set(
        "TF_PLUGIN_CACHE_MAY_BREAK_DEPENDENCY_LOCK_FILE",
        Path::new("1"),
    );
    set("TF_IN_AUTOMATION", Path::new("1"));
    set("CHECKPOINT_DISABLE", Path::new("1"));
    env
}

/// The environment of commands that evaluate the template.
pub fn full(
    base: &BTreeMap<String, OsString>,
    config: &ToolConfig,
    agent_scripts: &BTreeMap<String, String>,
    inputs: &Inputs<'_>,
) -> Environment {
    let mut env = basic(base, config);
    env.retain(|(name, _)| name != "AWS_SDK_UA_APP_ID");
    let inherited = base
        .get("AWS_SDK_UA_APP_ID")
        .map(|v| v.to_string_lossy().into_owned())
        .unwrap_or_default();
    let user_agent = format!("{inherited} {AWS_USER_AGENT}").trim().to_owned();
    env.push(("AWS_SDK_UA_APP_ID".to_owned(), user_agent.into()));
    for (name, value) in workspace(inputs.metadata) {
        env.push((name, value.into()));
    }
    for (platform, script) in agent_scripts {
        env.push((format!("CODER_AGENT_SCRIPT_{platform}"), script.into()));
    }
    for value in inputs.previous {
        let name = format!("CODER_PARAMETER_PREVIOUS_{}", hash(&value.name));
        env.push((name, (&value.value).into()));
    }
    for value in inputs.parameters {
        let name = format!("CODER_PARAMETER_{}", hash(&value.name));
        env.push((name, (&value.value).into()));
    }
    for auth in inputs.external_auth {
        for prefix in [
            "CODER_EXTERNAL_AUTH_ACCESS_TOKEN_",
            "CODER_GIT_AUTH_ACCESS_TOKEN_",
        ] {
            env.push((format!("{prefix}{}", auth.id), (&auth.access_token).into()));
        }
    }
    if inputs.debug {
        env.push(("TF_LOG".to_owned(), "JSON".into()));
    }
    // A name or value with NUL, or a name with '=', cannot be in an environment at all.
    env.retain(|(name, value)| {
        !name.contains(['\0', '=']) && !value.as_encoded_bytes().contains(&0)
    });
    env
}

/// Lower-case hex of the SHA-256 of a name, by which the provider finds what belongs to it.
pub fn hash(name: &str) -> String {
    hex::encode(Sha256::digest(name))
}

#[derive(Serialize)]
struct Role<'a> {
    name: &'a str,
    org_id: &'a str,
}

fn workspace(metadata: &Metadata) -> Vec<(String, String)> {
    let m = metadata;
    let transition = match m.workspace_transition() {
        WorkspaceTransition::Start => "start",
        WorkspaceTransition::Stop => "stop",
        WorkspaceTransition::Destroy => "destroy",
    };
    let roles: Vec<_> = m
        .workspace_owner_rbac_roles
        .iter()
        .map(|r| Role {
            name: &r.name,
            org_id: &r.org_id,
        })
        .collect();
    let json = |value: serde_json::Result<String>| value.unwrap_or_else(|_| "[]".to_owned());
    let groups = json(serde_json::to_string(&m.workspace_owner_groups));
    let roles = json(serde_json::to_string(&roles));
    let mut env: Vec<(String, String)> = [
        ("CODER_AGENT_URL", m.coder_url.as_str()),
        ("CODER_WORKSPACE_TRANSITION", transition),
        ("CODER_WORKSPACE_NAME", &m.workspace_name),
        ("CODER_WORKSPACE_ID", &m.workspace_id),
        ("CODER_WORKSPACE_BUILD_ID", &m.workspace_build_id),
        ("CODER_WORKSPACE_TEMPLATE_ID", &m.template_id),
        ("CODER_WORKSPACE_TEMPLATE_NAME", &m.template_name),
        ("CODER_WORKSPACE_TEMPLATE_VERSION", &m.template_version),
        ("CODER_WORKSPACE_OWNER", &m.workspace_owner),
        ("CODER_WORKSPACE_OWNER_ID", &m.workspace_owner_id),
        ("CODER_WORKSPACE_OWNER_NAME", &m.workspace_owner_name),
        ("CODER_WORKSPACE_OWNER_EMAIL", &m.workspace_owner_email),
        (
            "CODER_WORKSPACE_OWNER_LOGIN_TYPE",
            &m.workspace_owner_login_type,
        ),
        (
            "CODER_WORKSPACE_OWNER_SSH_PUBLIC_KEY",
            &m.workspace_owner_ssh_public_key,
        ),
        (
            "CODER_WORKSPACE_OWNER_SSH_PRIVATE_KEY",
            &m.workspace_owner_ssh_private_key,
        ),
        (
            "CODER_WORKSPACE_OWNER_OIDC_ACCESS_TOKEN",
            &m.workspace_owner_oidc_access_token,
        ),
        (
            "CODER_WORKSPACE_OWNER_SESSION_TOKEN",
            &m.workspace_owner_session_token,
        ),
        ("CODER_WORKSPACE_OWNER_GROUPS", &groups),
        ("CODER_WORKSPACE_OWNER_RBAC_ROLES", &roles),
    ]
    .into_iter()
    .map(|(name, value)| (name.to_owned(), value.to_owned()))
    .collect();
    match m.prebuilt_workspace_build_stage() {
        PrebuiltWorkspaceBuildStage::None => {}
        PrebuiltWorkspaceBuildStage::Create => {
            env.push(("CODER_WORKSPACE_IS_PREBUILD".into(), "true".into()));
        }
        PrebuiltWorkspaceBuildStage::Claim => {
            env.push(("CODER_WORKSPACE_IS_PREBUILD_CLAIM".into(), "true".into()));
        }
    }
    let token = "CODER_RUNNING_WORKSPACE_AGENT_TOKEN_";
    match m.running_agent_auth_tokens.as_slice() {
        // The provider looks for the only agent's token under the hash of the empty name.
        [only] => env.push((format!("{token}{}", hash("")), only.token.clone())),
        several => env.extend(
            several
                .iter()
                .map(|t| (format!("{token}{}", hash(&t.agent_id)), t.token.clone())),
        ),
    }
    env
}

#[cfg(test)]
mod tests {
    use super::*;
    use rpc::proto::provisioner::RunningAgentAuthToken;

    fn environment(metadata: &Metadata) -> BTreeMap<String, String> {
        let base = [
            ("PATH".to_owned(), "/bin".into()),
            ("CODER_PG_CONNECTION_URL".to_owned(), "secret".into()),
            ("TF_DATA_DIR".to_owned(), "/elsewhere".into()),
            ("AWS_REGION".to_owned(), "x".into()),
        ]
        .into();
        let parameter = RichParameterValue {
            name: "region".into(),
            value: "eu\0x".into(),
        };
        let good = RichParameterValue {
            name: "size".into(),
            value: "3".into(),
        };
        let inputs = Inputs {
            metadata,
            parameters: &[parameter, good],
            previous: &[],
            external_auth: &[],
            debug: false,
        };
        full(&base, &ToolConfig::default(), &BTreeMap::new(), &inputs)
            .into_iter()
            .map(|(k, v)| (k, v.into_string().unwrap()))
            .collect()
    }

    #[test]
    fn hands_over_the_contract_and_hides_the_server() {
        let env = environment(&Metadata {
            workspace_transition: WorkspaceTransition::Destroy.into(),
            workspace_owner_groups: vec!["Everyone".into()],
            running_agent_auth_tokens: vec![RunningAgentAuthToken {
                agent_id: "a".into(),
                token: "t".into(),
            }],
            ..Metadata::default()
        });
        assert_eq!(env["CODER_WORKSPACE_TRANSITION"], "destroy");
        assert_eq!(env["CODER_WORKSPACE_OWNER_GROUPS"], r#"["Everyone"]"#);
        assert_eq!(env["AWS_REGION"], "x");
        assert_eq!(env[&format!("CODER_PARAMETER_{}", hash("size"))], "3");
        let only = "CODER_RUNNING_WORKSPACE_AGENT_TOKEN_e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
        assert_eq!(env[only], "t");
        for absent in [
            "CODER_PG_CONNECTION_URL",
            "TF_DATA_DIR",
            "CODER_WORKSPACE_IS_PREBUILD",
            &format!("CODER_PARAMETER_{}", hash("region")),
        ] {
            assert!(!env.contains_key(absent), "{absent}");
        }
    }
}
