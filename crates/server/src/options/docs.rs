//! The table as a page of documentation.

use std::fmt::Write as _;

use super::{Support, table};

/// The reference of all options, in Markdown.
pub fn markdown() -> String {
    let mut page = String::from(
        "# Options of `coder server`\n\nA flag beats the environment variable, which beats the YAML \
         file (`--config`), which beats the default.\n",
    );
    let later = |support| matches!(support, Support::Only(_));
    for spec in table().iter().filter(|spec| !later(spec.support)) {
        let _ = write!(page, "\n## --{}\n\n{}\n\n", spec.flag, spec.help);
        let _ = writeln!(page, "- Type: `{}`", spec.kind.name());
        let env = spec.env();
        if !env.is_empty() {
            let _ = writeln!(page, "- Environment: `{env}`");
        }
        if let Some(path) = spec.yaml_path() {
            let _ = writeln!(page, "- YAML: `{}`", path.join("."));
        }
        if !spec.default.is_empty() {
            let _ = writeln!(page, "- Default: `{}`", spec.default);
        }
    }
    page.push_str(
        "\n## Known, not available yet\n\nThe server refuses to start when one of these is set to \
         something else than its default.\n\n",
    );
    for spec in table().iter().filter(|spec| later(spec.support)) {
        let _ = writeln!(page, "- `--{}`", spec.flag);
    }
    page
}
