//! Instructions and skills as parts of a chat message, by settings of the
//! environment.

use std::collections::HashSet;
use std::io::Read;
use std::path::{Path, PathBuf};

use api_types::{
    ContextConfigResponse, ContextPart, SkillFile, is_skill_name, sanitize_prompt, without_comments,
};

use super::paths;
use crate::files::read::open_regular;

/// Bytes of a file that are read.
const MAX_FILE: usize = 64 * 1024;
/// Skills in one answer.
const MAX_SKILLS: usize = 500;

/// Where is looked; lists are separated by commas.
#[derive(Debug, Clone)]
pub struct Config {
    /// Directories with instructions.
    pub instructions_dirs: String,
    /// Name of a file with instructions.
    pub instructions_file: String,
    /// Directories with skills.
    pub skills_dirs: String,
    /// Name of the file that makes a directory a skill.
    pub skill_meta_file: String,
    /// Files that configure MCP servers.
    pub mcp_config_files: String,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            instructions_dirs: "~/.coder".into(),
            instructions_file: "AGENTS.md".into(),
            skills_dirs: "~/.coder/skills,.agents/skills".into(),
            skill_meta_file: "SKILL.md".into(),
            mcp_config_files: ".mcp.json".into(),
        }
    }
}

impl Config {
    /// Variables that change the settings. They are the agent's alone: no process of
    /// the workspace inherits them.
    pub const VARIABLES: [&str; 5] = [
        "CODER_AGENT_EXP_INSTRUCTIONS_DIRS",
        "CODER_AGENT_EXP_INSTRUCTIONS_FILE",
        "CODER_AGENT_EXP_SKILLS_DIRS",
        "CODER_AGENT_EXP_SKILL_META_FILE",
        "CODER_AGENT_EXP_MCP_CONFIG_FILES",
    ];

    /// The settings that the environment names, and the usual ones beside.
    pub fn from_environment(variable: impl Fn(&str) -> Option<String>) -> Self {
        let mut config = Self::default();
        let fields = [
            &mut config.instructions_dirs,
            &mut config.instructions_file,
            &mut config.skills_dirs,
            &mut config.skill_meta_file,
            &mut config.mcp_config_files,
        ];
        for (name, field) in Self::VARIABLES.into_iter().zip(fields) {
            let value = variable(name).unwrap_or_default();
            if !value.trim().is_empty() {
                value.trim().clone_into(field);
            }
        }
        config
    }

    pub(super) fn mcp_files(&self, working: Option<&Path>) -> Vec<PathBuf> {
        paths::list(&self.mcp_config_files, working)
    }

    pub(super) fn read(&self, working: Option<&Path>) -> ContextConfigResponse {
        let mut directories = paths::list(&self.instructions_dirs, working);
        directories.extend(working.map(Path::to_owned));
        let mut seen = HashSet::new();
        directories.retain(|directory| seen.insert(directory.clone()));
        let mut parts: Vec<_> = directories
            .iter()
            .filter_map(|directory| self.instructions(directory))
            .collect();
        self.skills(&paths::list(&self.skills_dirs, working), &mut parts);
        ContextConfigResponse { parts }
    }

    fn instructions(&self, directory: &Path) -> Option<ContextPart> {
        let entry = std::fs::read_dir(directory).ok()?.flatten().find(|entry| {
            let name = entry.file_name();
            name.to_string_lossy()
                .trim()
                .eq_ignore_ascii_case(&self.instructions_file)
        })?;
        let (text, truncated) = text(&entry.path())?;
        let text = sanitize_prompt(&without_comments(&text));
        (!text.is_empty()).then(|| ContextPart {
            r#type: "context-file".into(),
            context_file_path: entry.path().to_string_lossy().into_owned(),
            context_file_content: text,
            context_file_truncated: truncated,
            ..Default::default()
        })
    }

    fn skills(&self, directories: &[PathBuf], parts: &mut Vec<ContextPart>) {
        let mut seen = HashSet::new();
        for directory in directories {
            for entry in std::fs::read_dir(directory).into_iter().flatten().flatten() {
                if seen.len() >= MAX_SKILLS {
                    return;
                }
                let meta = entry.path().join(&self.skill_meta_file);
                let Some((text, _)) = text(&meta) else {
                    continue;
                };
                let Ok(SkillFile {
                    name, description, ..
                }) = SkillFile::parse(&text)
                else {
                    continue;
                };
                let own_name = entry.file_name();
                if own_name.to_string_lossy() != name
                    || !is_skill_name(&name)
                    || !seen.insert(name.clone())
                {
                    continue;
                }
                parts.push(ContextPart {
                    r#type: "skill".into(),
                    skill_name: name,
                    skill_description: description,
                    skill_dir: entry.path().to_string_lossy().into_owned(),
                    context_file_skill_meta_file: self.skill_meta_file.clone(),
                    ..Default::default()
                });
            }
        }
    }
}

/// The beginning of a file, and whether there is more.
fn text(path: &Path) -> Option<(String, bool)> {
    let (file, _) = open_regular(path).ok()?;
    let mut bytes = Vec::new();
    file.take(MAX_FILE as u64 + 1)
        .read_to_end(&mut bytes)
        .ok()?;
    let truncated = bytes.len() > MAX_FILE;
    bytes.truncate(MAX_FILE);
    Some((String::from_utf8_lossy(&bytes).into_owned(), truncated))
}
