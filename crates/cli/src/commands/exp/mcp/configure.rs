//! `coder exp mcp configure`: writes the MCP server into the files of AI tools.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use clap::{Args as ClapArgs, Subcommand};
use serde_json::{Map, Value, json};

use crate::home::home_dir;
use crate::session::Session;
use crate::text_file;

/// Said in CLAUDE.md when nothing else is.
const SYSTEM_PROMPT: &str = "Send a task status update to notify the user that you are ready for \
    input, and then wait for user input.";
/// Said where the state of a task is shown to people.
const REPORT_PROMPT: &str = "YOU MUST REPORT ALL TASKS TO CODER.\n\
    Call the tool `coder_report_task` when you begin a task, when something worth telling happens, \
    and when you are done or need help; keep the summary below 160 characters. Say that a task is \
    complete, idle or failed only when you have nothing left to do on your own.";
/// What we wrote into CLAUDE.md stands between these; all else is the user's.
const CODER_BEGIN: &str = "<coder-prompt>";
const CODER_END: &str = "</coder-prompt>";
const SYSTEM_BEGIN: &str = "<system-prompt>";
const SYSTEM_END: &str = "</system-prompt>";
/// Under which name Claude keeps its API key.
const KEY: &str = "primaryApiKey";

/// Write the MCP server into the configuration of an AI tool.
#[derive(ClapArgs)]
pub struct Args {
    #[command(subcommand)]
    command: Sub,
}

#[derive(Subcommand)]
enum Sub {
    /// Configure Claude Code for a project.
    ClaudeCode(Box<ClaudeCode>),
    /// Configure Claude Desktop.
    ClaudeDesktop,
    /// Configure Cursor.
    Cursor(Cursor),
}

#[derive(ClapArgs)]
struct ClaudeCode {
    /// Directory of the project.
    #[arg(value_name = "project-directory")]
    project: PathBuf,

    /// The configuration of Claude. Default: ~/.claude.json.
    #[arg(long, env = "CODER_MCP_CLAUDE_CONFIG_PATH", value_name = "file")]
    claude_config_path: Option<PathBuf>,

    /// Where instructions are written. Default: ~/.claude/CLAUDE.md.
    #[arg(long, env = "CODER_MCP_CLAUDE_MD_PATH", value_name = "file")]
    claude_md_path: Option<PathBuf>,

    /// The API key that Claude uses.
    #[arg(
        long,
        env = "CLAUDE_API_KEY",
        hide_env_values = true,
        value_name = "key"
    )]
    claude_api_key: Option<String>,

    /// The older name of the same.
    #[arg(
        long = "mcp-claude-api-key",
        env = "CODER_MCP_CLAUDE_API_KEY",
        hide_env_values = true,
        hide = true
    )]
    older_api_key: Option<String>,

    /// Instructions for Claude.
    #[arg(
        long = "claude-system-prompt",
        env = "CODER_MCP_CLAUDE_SYSTEM_PROMPT",
        value_name = "text",
        default_value = SYSTEM_PROMPT
    )]
    system_prompt: String,

    /// More instructions about Coder.
    #[arg(
        long = "claude-coder-prompt",
        env = "CODER_MCP_CLAUDE_CODER_PROMPT",
        value_name = "text",
        default_value = ""
    )]
    coder_prompt: String,

    /// The app under which Claude reports what it does.
    #[arg(
        long = "claude-app-status-slug",
        env = "CODER_MCP_APP_STATUS_SLUG",
        value_name = "slug"
    )]
    app_status_slug: Option<String>,

    /// Address of an AgentAPI that tells when Claude works.
    #[arg(long, env = "CODER_MCP_AI_AGENTAPI_URL", value_name = "url")]
    ai_agentapi_url: Option<String>,

    /// For tests: the program that is written into the configuration.
    #[arg(
        long = "claude-test-binary-name",
        env = "CODER_MCP_CLAUDE_TEST_BINARY_NAME",
        hide = true
    )]
    test_binary: Option<String>,

    /// Claude uses Amazon Bedrock, and needs no key.
    #[arg(long, env = "CLAUDE_CODE_USE_BEDROCK", hide = true)]
    claude_code_use_bedrock: Option<String>,
}

#[derive(ClapArgs)]
struct Cursor {
    /// Configure the project in this directory instead of the whole program.
    #[arg(long, env = "CODER_MCP_CURSOR_PROJECT")]
    project: bool,
}

/// Writes the files.
pub fn run(args: Args, session: &Session) -> Result<()> {
    match args.command {
        Sub::ClaudeCode(args) => claude_code(*args, session),
        Sub::ClaudeDesktop => {
            let path = desktop_directory()?.join("claude_desktop_config.json");
            configure(&path, &program()?, session)
        }
        Sub::Cursor(args) => {
            let place = if args.project {
                std::env::current_dir()?
            } else {
                home()?
            };
            configure(&place.join(".cursor/mcp.json"), &program()?, session)
        }
    }
}

fn home() -> Result<PathBuf> {
    home_dir().context("there is no home directory: set HOME, or name the files by flags")
}

/// Where Claude Desktop keeps its configuration.
fn desktop_directory() -> Result<PathBuf> {
    let given = std::env::var_os("XDG_CONFIG_HOME").filter(|path| !path.is_empty());
    let base = match given {
        Some(path) => PathBuf::from(path),
        None if cfg!(target_os = "macos") => home()?.join("Library/Application Support"),
        None => home()?.join(".config"),
    };
    Ok(base.join("Claude"))
}

/// This program, as others are to start it.
fn program() -> Result<String> {
    let path = std::env::current_exe().context("find this program")?;
    Ok(path.to_string_lossy().into_owned())
}

fn entry(program: &str) -> Value {
    json!({ "command": program, "args": ["exp", "mcp", "server"] })
}

/// Puts our server beside those that are there.
fn configure(path: &Path, program: &str, session: &Session) -> Result<()> {
    let mut file = read(path)?;
    object(&mut file, "mcpServers", path)?.insert("coder".to_owned(), entry(program));
    write(path, &file)?;
    session.note(&format!("Wrote the configuration to {}", path.display()));
    Ok(())
}

fn claude_code(args: ClaudeCode, session: &Session) -> Result<()> {
    let path = match args.claude_config_path {
        Some(path) => path,
        None => home()?.join(".claude.json"),
    };
    let key = args.older_api_key.filter(|key| !key.is_empty());
    let key = key.or(args.claude_api_key).unwrap_or_default();
    if key.is_empty() && args.claude_code_use_bedrock.as_deref() != Some("1") {
        session.note("CLAUDE_API_KEY is not set: Claude will ask for a way to sign in.");
    }
    let slug = args.app_status_slug.unwrap_or_default();
    let mut environment = Map::new();
    for (name, value) in [
        ("CODER_MCP_APP_STATUS_SLUG", slug.clone()),
        (
            "CODER_MCP_AI_AGENTAPI_URL",
            args.ai_agentapi_url.unwrap_or_default(),
        ),
    ] {
        if !value.is_empty() {
            environment.insert(name.to_owned(), value.into());
        }
    }
    let program = match args.test_binary.filter(|name| !name.is_empty()) {
        Some(name) => name,
        None => program()?,
    };
    let mut server = entry(&program);
    server["env"] = environment.into();
    let mut file = read(&path)?;
    claude_file(&mut file, &path, &args.project, &key, server)?;
    write(&path, &file)?;
    session.note(&format!("Wrote the configuration to {}", path.display()));

    let path = match args.claude_md_path {
        Some(path) => path,
        None => home()?.join(".claude/CLAUDE.md"),
    };
    let report = if slug.is_empty() { "" } else { REPORT_PROMPT };
    let coder = [report, &args.coder_prompt];
    let coder: Vec<&str> = coder.into_iter().filter(|text| !text.is_empty()).collect();
    let old = text_file::read(&path)?;
    let text = instructions(&old, &coder.join("\n\n"), &args.system_prompt);
    text_file::replace(&path, &text)?;
    session.note(&format!("Wrote instructions to {}", path.display()));
    Ok(())
}

/// Puts server and consent into the configuration of Claude.
fn claude_file(
    file: &mut Map<String, Value>,
    path: &Path,
    project: &Path,
    key: &str,
    server: Value,
) -> Result<()> {
    if !key.is_empty() {
        file.insert(KEY.to_owned(), key.into());
    }
    // It would ask otherwise, with nobody there to answer.
    for name in [
        "autoUpdaterStatus",
        "bypassPermissionsModeAccepted",
        "hasCompletedOnboarding",
    ] {
        let value = match name {
            "autoUpdaterStatus" => json!("disabled"),
            _ => json!(true),
        };
        file.insert(name.to_owned(), value);
    }
    let projects = object(file, "projects", path)?;
    let project = project.to_string_lossy().into_owned();
    let project = object(projects, &project, path)?;
    for name in ["hasTrustDialogAccepted", "hasCompletedProjectOnboarding"] {
        project.insert(name.to_owned(), true.into());
    }
    object(project, "mcpServers", path)?.insert("coder".to_owned(), server);
    let tool = json!("mcp__coder__coder_report_task");
    let allowed = project
        .entry("allowedTools")
        .or_insert_with(|| json!([]))
        .as_array_mut()
        .with_context(|| format!("allowedTools in {} is no list", path.display()))?;
    if !allowed.contains(&tool) {
        allowed.push(tool);
    }
    Ok(())
}

/// CLAUDE.md with our parts anew and the user's as they are.
fn instructions(old: &str, coder: &str, system: &str) -> String {
    let rest = without(
        &without(old, CODER_BEGIN, CODER_END),
        SYSTEM_BEGIN,
        SYSTEM_END,
    );
    let mut text =
        format!("{CODER_BEGIN}\n{coder}\n{CODER_END}\n{SYSTEM_BEGIN}\n{system}\n{SYSTEM_END}\n");
    let rest = rest.trim();
    if !rest.is_empty() {
        text.push('\n');
        text.push_str(rest);
        text.push('\n');
    }
    text
}

fn without(text: &str, begin: &str, end: &str) -> String {
    let parts = text
        .split_once(begin)
        .and_then(|(before, after)| Some((before, after.split_once(end)?.1)));
    match parts {
        Some((before, after)) => format!("{before}{after}"),
        None => text.to_owned(),
    }
}

/// The object in a field, made if it is not there.
fn object<'a>(
    map: &'a mut Map<String, Value>,
    field: &str,
    path: &Path,
) -> Result<&'a mut Map<String, Value>> {
    map.entry(field)
        .or_insert_with(|| json!({}))
        .as_object_mut()
        .with_context(|| format!("{field} in {} is no object", path.display()))
}

fn read(path: &Path) -> Result<Map<String, Value>> {
    // Tools keep their history in there too, so it may be of any size.
    let text = match fs::read_to_string(path) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => String::new(),
        read => read.with_context(|| format!("read {}", path.display()))?,
    };
    if text.trim().is_empty() {
        return Ok(Map::new());
    }
    match serde_json::from_str(&text) {
        Ok(Value::Object(map)) => Ok(map),
        Ok(_) => bail!("{} is no JSON object; nothing was changed", path.display()),
        Err(error) => bail!(
            "{} is no JSON ({error}); nothing was changed",
            path.display()
        ),
    }
}

fn write(path: &Path, file: &Map<String, Value>) -> Result<()> {
    let text = serde_json::to_string_pretty(file)? + "\n";
    if file.contains_key(KEY) {
        text_file::replace_private(path, &text)
    } else {
        text_file::replace(path, &text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_user_wrote_stays() {
        let first = instructions("# Mine\n", "report", "wait");
        assert!(
            first.contains("report") && first.ends_with("# Mine\n"),
            "{first}"
        );
        let second = instructions(&first, "other", "wait");
        assert!(!second.contains("report"), "{second}");
        assert_eq!(second.matches("# Mine").count(), 1);
        assert_eq!(instructions(&second, "other", "wait"), second);
    }

    #[test]
    fn other_servers_and_settings_stay() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("x/claude.json");
        text_file::replace(
            &path,
            r#"{"theme":"dark","projects":{"/p":{"mcpServers":{"b":{}},"allowedTools":["x"]}}}"#,
        )
        .unwrap();
        let mut file = read(&path).unwrap();
        for _ in 0..2 {
            claude_file(&mut file, &path, Path::new("/p"), "key", entry("coder")).unwrap();
        }
        write(&path, &file).unwrap();
        let file = Value::Object(read(&path).unwrap());
        assert_eq!(file["theme"], "dark");
        assert_eq!(file["primaryApiKey"], "key");
        let project = &file["projects"]["/p"];
        assert_eq!(
            project["mcpServers"]["coder"]["args"],
            json!(["exp", "mcp", "server"])
        );
        assert!(project["mcpServers"]["b"].is_object());
        assert_eq!(
            project["allowedTools"],
            json!(["x", "mcp__coder__coder_report_task"])
        );
        for bad in ["[1]", "{"] {
            text_file::replace(&path, bad).unwrap();
            assert!(
                read(&path)
                    .unwrap_err()
                    .to_string()
                    .contains("nothing was changed")
            );
        }
    }
}
