//! Computer use: the forms in which providers define a tool that acts on a screen themselves. Sources:
//! Anthropic's computer use tool (`computer_20251124`), OpenAI's computer tool of the Responses API.

use serde_json::{Value, json};

/// Name of the tool, with every provider.
pub const COMPUTER: &str = "computer";
/// Type of Anthropic's definition.
const ANTHROPIC: &str = "computer_20251124";
/// The beta that it belongs to.
const ANTHROPIC_BETA: &str = "computer-use-2025-11-24";

/// Width and height of the screen as models that know a provider's form see it, in pixels: what they
/// point at best. All others see that of Anthropic's.
pub fn screen(provider: &str) -> (i64, i64) {
    match provider {
        "openai" => (1600, 900),
        _ => (1280, 720),
    }
}

/// The provider's own definition of the tool, for models that know it; others get an ordinary tool.
pub fn native(provider: &str, model: &str) -> Option<Value> {
    let (width, height) = screen(provider);
    match provider {
        "anthropic" | "bedrock" if knows_anthropics(model) => Some(json!({
            "type": ANTHROPIC,
            "name": COMPUTER,
            "display_width_px": width,
            "display_height_px": height,
        })),
        "openai" if knows_openais(model) => Some(json!({ "type": COMPUTER })),
        _ => None,
    }
}

/// The beta that a definition needs of Anthropic.
pub(crate) fn beta(native: &Value) -> Option<&'static str> {
    (native["type"] == ANTHROPIC).then_some(ANTHROPIC_BETA)
}

/// Opus from 4.5 on, Sonnet from 4.6 on, all others from 5 on.
fn knows_anthropics(model: &str) -> bool {
    let Some(name) = model.find("claude-").map(|at| &model[at + 7..]) else {
        return false;
    };
    let mut parts = name.split('-');
    let family = parts.next().unwrap_or_default();
    let mut number = || parts.next().and_then(|part| part.parse::<u32>().ok());
    let Some(major) = number() else {
        return false;
    };
    // A date may follow where there is no minor version.
    let minor = number().filter(|minor| *minor < 100).unwrap_or(0);
    let from = match family {
        "opus" => (4, 5),
        "sonnet" => (4, 6),
        // Once the version came before the family.
        _ if family.parse::<u32>().is_ok() => return false,
        _ => (5, 0),
    };
    (major, minor) >= from
}

/// GPT from 5.4 on.
fn knows_openais(model: &str) -> bool {
    let Some(version) = model.strip_prefix("gpt-") else {
        return false;
    };
    let version = version.split('-').next().unwrap_or_default();
    let (major, minor) = version.split_once('.').unwrap_or((version, "0"));
    match (major.parse::<u32>(), minor.parse::<u32>()) {
        (Ok(major), Ok(minor)) => (major, minor) >= (5, 4),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_knows_the_tool_gets_its_own_form() {
        for (provider, model, knows) in [
            ("anthropic", "claude-opus-4-5-20251101", true),
            ("anthropic", "claude-opus-5", true),
            ("anthropic", "claude-sonnet-4-6", true),
            ("anthropic", "claude-sonnet-4-5-20250929", false),
            ("anthropic", "claude-sonnet-4-20250514", false),
            ("anthropic", "claude-haiku-4-5", false),
            ("anthropic", "claude-3-7-sonnet-latest", false),
            ("bedrock", "us.anthropic.claude-opus-4-6-v1", true),
            ("anthropic", "other", false),
            ("openai", "gpt-5.4", true),
            ("openai", "gpt-5.6-sol", true),
            ("openai", "gpt-6", true),
            ("openai", "gpt-5", false),
            ("openai", "gpt-4.1", false),
            ("openai", "gpt-oss", false),
            ("google", "gemini-3", false),
            ("openai-compat", "gpt-5.5", false),
        ] {
            assert_eq!(
                native(provider, model).is_some(),
                knows,
                "{provider} {model}"
            );
        }
        let definition = native("anthropic", "claude-opus-5").unwrap();
        assert_eq!(definition["display_width_px"], 1280);
        assert_eq!(beta(&definition), Some(ANTHROPIC_BETA));
        assert_eq!(beta(&json!({ "type": "computer" })), None);
    }
}
