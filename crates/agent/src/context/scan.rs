//! One look at all places. Only their top level is read, and the known places of
//! skills below it; nothing is searched in depth.

use std::collections::BTreeMap;
use std::fs;
use std::io::Read;
use std::path::{Path, PathBuf};

use api_types::{SkillFile, is_skill_name};
use sha2::{Digest, Sha256};

use super::resource::{Kind, Resource, Snapshot, State};
use crate::files::read::open_regular;
use crate::mcp::Listed;

/// Bytes of one thing.
const MAX_RESOURCE: u64 = 64 * 1024;
/// Bytes of all things.
const MAX_ALL: usize = 2 * 1024 * 1024;
/// How many things are told of.
const MAX_RESOURCES: usize = 500;
/// Entries of a directory of skills that are looked at.
const MAX_SKILLS: usize = 1000;
/// Files with instructions.
const INSTRUCTIONS: [&str; 3] = ["AGENTS.md", "CLAUDE.md", ".cursorrules"];
/// The file that configures MCP servers.
const MCP: &str = ".mcp.json";
/// The file that makes a directory a skill.
const SKILL: &str = "SKILL.md";
/// Directories of skills, below a place.
const SKILLS: [&str; 4] = [
    "skills",
    ".agents/skills",
    ".claude/skills",
    ".codex/skills",
];

/// A place to look at.
#[derive(Debug, Clone)]
pub struct Root {
    /// A directory, or a file of a known name.
    pub path: PathBuf,
    /// What was added, if it was.
    pub source: Option<PathBuf>,
}

/// Looks at all places. What several of them lead to counts for the first.
pub fn scan(roots: &[Root], servers: &[Listed]) -> Snapshot {
    let mut found = BTreeMap::new();
    let mut seen: Vec<&Path> = Vec::new();
    for root in roots {
        if !seen.contains(&root.path.as_path()) {
            seen.push(&root.path);
            look(root, &mut found);
        }
    }
    let mut resources: Vec<Resource> = found.into_values().collect();
    resources.extend(servers.iter().map(Resource::of_server));
    // Instructions before skills before the rest, if not all fit.
    resources.sort_by(|a, b| (a.kind, &a.source).cmp(&(b.kind, &b.source)));
    bound(&mut resources);
    resources.sort_by_key(Resource::id);
    Snapshot {
        version: 0,
        resources,
    }
}

fn bound(resources: &mut Vec<Resource>) {
    resources.truncate(MAX_RESOURCES);
    let mut total = 0;
    for resource in resources.iter_mut().filter(|r| r.state == State::Ok) {
        if total + resource.payload.len() > MAX_ALL {
            resource.state = State::Excluded;
            resource.error = format!("dropped to fit {MAX_ALL}-byte aggregate cap");
            resource.payload = Vec::new();
        }
        total += resource.payload.len();
    }
}

fn look(root: &Root, found: &mut BTreeMap<String, Resource>) {
    let mut add = |resource: Option<Resource>| {
        if let Some(resource) = resource {
            found.entry(resource.id()).or_insert(resource);
        }
    };
    if root.path.is_file() {
        let name = root.path.file_name().unwrap_or_default();
        if INSTRUCTIONS.iter().any(|known| name == *known) {
            add(instructions(&root.path, root));
        } else if name == MCP {
            add(mcp(&root.path, root));
        } else if name == SKILL {
            add(root
                .path
                .parent()
                .and_then(|directory| a_skill(directory, root)));
        }
        return;
    }
    for name in INSTRUCTIONS {
        add(instructions(&root.path.join(name), root));
    }
    add(mcp(&root.path.join(MCP), root));
    let itself = root.path.file_name().is_some_and(|name| name == "skills");
    let below = SKILLS.iter().map(|name| root.path.join(name));
    for directory in itself.then(|| root.path.clone()).into_iter().chain(below) {
        // Most of them do not exist.
        let entries = fs::read_dir(directory).into_iter().flatten().flatten();
        for entry in entries.take(MAX_SKILLS) {
            if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
                add(a_skill(&entry.path(), root));
            }
        }
    }
}

/// Reads a file of at most [`MAX_RESOURCE`] bytes; `None` if there is none. A link
/// out of the place is not followed.
fn read(kind: Kind, path: &Path, root: &Root) -> Option<Resource> {
    path.symlink_metadata().ok()?;
    let place = if root.path.is_file() {
        root.path.parent()?
    } else {
        &root.path
    };
    let mut resource = Resource {
        kind,
        source: path.to_string_lossy().into_owned(),
        source_path: root
            .source
            .as_ref()
            .map(|p| p.to_string_lossy().into_owned()),
        hash: [0; 32],
        size: 0,
        state: State::Unreadable,
        error: String::new(),
        name: String::new(),
        description: String::new(),
        payload: Vec::new(),
        tools: Vec::new(),
    };
    let real = match path.canonicalize() {
        Ok(real) => real,
        Err(error) => {
            resource.error = error.to_string();
            return Some(resource);
        }
    };
    if !real.starts_with(place.canonicalize().unwrap_or_else(|_| place.to_owned())) {
        resource.error = "the link leads out of the directory".into();
        return Some(resource);
    }
    // Several names of one file are one thing.
    resource.source = real.to_string_lossy().into_owned();
    let (file, metadata) = match open_regular(&real) {
        Ok(opened) => opened,
        Err(error) => {
            resource.error = error.text;
            return Some(resource);
        }
    };
    if let Err(error) = file
        .take(MAX_RESOURCE + 1)
        .read_to_end(&mut resource.payload)
    {
        resource.payload = Vec::new();
        resource.error = error.to_string();
        return Some(resource);
    }
    resource.hash = Sha256::digest(&resource.payload).into();
    resource.size = metadata.len().max(resource.payload.len() as u64);
    resource.state = State::Ok;
    if resource.payload.len() as u64 > MAX_RESOURCE {
        resource.state = State::Oversize;
        resource.error = format!(
            "file size {} exceeds per-resource cap of {MAX_RESOURCE} bytes",
            resource.size
        );
        resource.payload = Vec::new();
    }
    Some(resource)
}

fn instructions(path: &Path, root: &Root) -> Option<Resource> {
    let mut resource = read(Kind::InstructionFile, path, root)?;
    let text = String::from_utf8_lossy(&resource.payload);
    let first = text.lines().map(str::trim).find(|line| !line.is_empty());
    resource.description = first
        .unwrap_or_default()
        .trim_start_matches('#')
        .trim()
        .to_owned();
    Some(resource)
}

/// Its content may hold secrets: it is told that it is there, and whether it makes sense.
fn mcp(path: &Path, root: &Root) -> Option<Resource> {
    let mut resource = read(Kind::McpConfig, path, root)?;
    if resource.state == State::Ok
        && let Err(error) = crate::mcp::check(&resource.payload)
    {
        resource.state = State::Invalid;
        resource.error = error;
    }
    resource.payload = Vec::new();
    Some(resource)
}

fn a_skill(directory: &Path, root: &Root) -> Option<Resource> {
    let mut resource = read(Kind::Skill, &directory.join(SKILL), root)?;
    resource.source = directory.to_string_lossy().into_owned();
    if resource.state != State::Ok {
        return Some(resource);
    }
    let text = String::from_utf8_lossy(&resource.payload).into_owned();
    let own_name = directory.file_name().unwrap_or_default().to_string_lossy();
    let error = match SkillFile::parse(&text) {
        Err(error) => Some(error),
        Ok(skill) if skill.name != own_name => Some(format!(
            "front-matter name {:?} does not match directory {own_name:?}",
            skill.name
        )),
        Ok(skill) if !is_skill_name(&skill.name) => {
            Some(format!("skill name {:?} is not kebab-case", skill.name))
        }
        Ok(skill) => {
            (resource.name, resource.description) = (skill.name, skill.description);
            None
        }
    };
    if let Some(error) = error {
        resource.state = State::Invalid;
        resource.error = error;
        resource.payload = Vec::new();
    }
    Some(resource)
}
