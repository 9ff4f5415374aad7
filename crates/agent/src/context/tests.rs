//! What a workspace tells AI agents of itself, from real folders.

use super::*;
use crate::testing;

/// A workspace whose working directory this is.
fn context(directory: &Path) -> Arc<Context> {
    let mut proto = testing::proto();
    proto.directory = directory.to_string_lossy().into_owned();
    Arc::new(Context::new(
        testing::workspace_with(proto),
        Config::default(),
    ))
}

fn write(path: &Path, text: &str) {
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    std::fs::write(path, text).unwrap();
}

#[tokio::test]
async fn what_is_there_is_found_and_told_once() {
    let root = tempfile::tempdir().unwrap();
    let at = |name: &str| root.path().join(name);
    write(&at("AGENTS.md"), "# Be kind\n<!-- hidden -->text\u{200b}\n");
    std::os::unix::fs::symlink("AGENTS.md", at("CLAUDE.md")).unwrap();
    write(
        &at(".mcp.json"),
        r#"{"mcpServers":{"x":{"env":{"KEY":"hidden"}}}}"#,
    );
    write(
        &at(".agents/skills/good/SKILL.md"),
        "---\nname: good\ndescription: d\n---\n",
    );
    write(&at("skills/bad/SKILL.md"), "---\nname: other\n---\n");
    std::os::unix::fs::symlink("/etc/passwd", at(".cursorrules")).unwrap();
    let context = context(root.path());
    assert_eq!(
        context.resync().await.version,
        0,
        "not before the start scripts"
    );
    context.ready.send_replace(true);
    let snapshot = context.resync().await;
    let json = snapshot.to_json();
    // The home directory of whoever runs this may hold more.
    let inside: Vec<_> = json
        .resources
        .iter()
        .filter(|r| r.source.starts_with(&*root.path().to_string_lossy()))
        .map(|r| (r.kind.as_str(), r.status.as_str()))
        .collect();
    assert_eq!(
        inside,
        [
            ("instruction_file", "unreadable"),
            ("instruction_file", "ok"),
            ("mcp_config", "ok"),
            ("skill", "ok"),
            ("skill", "invalid"),
        ]
    );
    let pushed = format!("{:?}", snapshot.to_push(true));
    assert!(
        !pushed.contains("KEY") && !pushed.contains("root:"),
        "{pushed}"
    );
    assert_eq!(context.resync().await.version, 1);
    write(&at("AGENTS.md"), "changed");
    let changed = context.resync().await;
    assert_eq!(changed.version, 2);
    assert_ne!(changed.hash(), snapshot.hash());
    write(&at(".mcp.json"), "{");
    let broken = context.resync().await;
    assert_eq!(
        broken.hash(),
        changed.hash(),
        "tools are no part of prompts"
    );

    let parts = context.legacy().parts;
    let mine = |part: &&api_types::ContextPart| {
        part.context_file_path
            .starts_with(&*root.path().to_string_lossy())
            || part.skill_dir.starts_with(&*root.path().to_string_lossy())
    };
    let parts: Vec<_> = parts.iter().filter(mine).collect();
    assert_eq!(parts.len(), 2);
    assert_eq!(parts[0].context_file_content, "changed");
    assert_eq!(parts[1].skill_name, "good");
}

#[tokio::test]
async fn places_are_added_within_bounds() {
    let root = tempfile::tempdir().unwrap();
    let context = context(root.path());
    let inside = root.path().join("more/../more");
    let added = context.add(inside.to_str().unwrap()).unwrap();
    assert_eq!(added, root.path().join("more"));
    assert_eq!(context.add(added.to_str().unwrap()).unwrap(), added);
    assert_eq!(context.sources(), std::slice::from_ref(&added));
    for wrong in ["", "relative", "/etc", "/etc/../usr"] {
        assert!(context.add(wrong).is_err(), "{wrong}");
    }
    std::os::unix::fs::symlink("/etc", root.path().join("link")).unwrap();
    assert!(
        context
            .add(root.path().join("link").to_str().unwrap())
            .is_err()
    );
    context.remove(added.to_str().unwrap()).unwrap();
    assert!(context.remove(added.to_str().unwrap()).is_err());
}

#[test]
fn settings_come_from_the_environment() {
    let config = Config::from_environment(|name| {
        (name == "CODER_AGENT_EXP_MCP_CONFIG_FILES").then(|| " a.json, ~/b.json ".into())
    });
    let files = config.mcp_files(Some(Path::new("/home/dev")));
    assert_eq!(files[0], Path::new("/home/dev/a.json"));
    assert!(files[1].is_absolute() && files[1].ends_with("b.json"));
    assert_eq!(config.skill_meta_file, "SKILL.md");
}
