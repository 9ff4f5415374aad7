//! How a reasoning effort is said to the models of each generation.

use serde_json::{Value, json};

use super::options::Options;
use crate::ReasoningEffort;

/// The smallest budget that the API takes; below it, thinking is off.
const MIN_BUDGET: u32 = 1024;

/// What of the request says how much to think.
#[derive(Debug, Default, PartialEq)]
#[expect(
    clippy::struct_field_names,
    reason = "named after the field of the request"
)]
pub(super) struct Thinking {
    /// The field `thinking`.
    pub(super) thinking: Option<Value>,
    /// The field `output_config.effort`.
    pub(super) effort: Option<&'static str>,
    /// A beta that the fields need.
    pub(super) beta: Option<&'static str>,
}

impl Thinking {
    /// Whether the model thinks, which forbids sampling settings and forced tools.
    pub(super) fn on(&self) -> bool {
        self.thinking
            .as_ref()
            .is_some_and(|value| value["type"] != "disabled")
    }
}

/// Generations by how they are told to think.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Generation {
    /// Decides itself how much to think, steered by the effort.
    Adaptive,
    /// Takes a budget, and an effort beside it as a beta.
    BudgetAndEffort,
    /// Takes a budget.
    Budget,
    /// Does not think.
    Plain,
}

/// Version of a model's name such as `claude-opus-4-6`, `us.anthropic.claude-sonnet-4-5-20250929-v1:0`
/// or `claude-3-7-sonnet-latest`.
fn version(model: &str) -> Option<(u32, u32)> {
    let at = model.find("claude-")?;
    let numbers: Vec<u32> = model[at + 7..]
        .split(['-', '.', '@', ':'])
        .filter(|word| word.len() <= 2)
        .filter_map(|word| word.parse().ok())
        .collect();
    Some((*numbers.first()?, numbers.get(1).copied().unwrap_or(0)))
}

fn generation(model: &str) -> Generation {
    match version(model) {
        Some(v) if v >= (4, 6) => Generation::Adaptive,
        Some((4, 5)) if model.contains("opus") => Generation::BudgetAndEffort,
        // A name that does not tell its age is a new or a foreign one.
        Some((4, _) | (3, 7)) | None => Generation::Budget,
        Some(_) => Generation::Plain,
    }
}

/// The fields for `effort` (or the older options) within `max_tokens`.
pub(super) fn thinking(
    model: &str,
    effort: Option<ReasoningEffort>,
    options: &Options,
    max_tokens: u32,
) -> Thinking {
    let effort = effort.or_else(|| ReasoningEffort::parse(options.effort.as_deref()?));
    let generation = generation(model);
    let fixed = options.thinking.as_ref().and_then(|t| t.budget_tokens);
    let (None, Some(effort)) = (fixed, effort) else {
        return fixed.map_or_else(Thinking::default, |budget| {
            enabled(budget, max_tokens, options)
        });
    };
    if effort == ReasoningEffort::None {
        return match generation {
            Generation::Plain => Thinking::default(),
            _ => Thinking {
                thinking: Some(json!({"type": "disabled"})),
                ..Thinking::default()
            },
        };
    }
    match generation {
        Generation::Plain => Thinking::default(),
        Generation::Adaptive => Thinking {
            thinking: Some(display(json!({"type": "adaptive"}), options)),
            effort: Some(effort_word(effort, model)),
            beta: None,
        },
        Generation::Budget => enabled(budget(effort, max_tokens), max_tokens, options),
        Generation::BudgetAndEffort => {
            let mut thinking = enabled(budget(effort, max_tokens), max_tokens, options);
            thinking.effort = Some(match effort_word(effort, model) {
                word @ ("low" | "medium") => word,
                _ => "high",
            });
            thinking.beta = Some("effort-2025-11-24");
            thinking
        }
    }
}

fn effort_word(effort: ReasoningEffort, model: &str) -> &'static str {
    match effort {
        ReasoningEffort::None | ReasoningEffort::Minimal | ReasoningEffort::Low => "low",
        ReasoningEffort::Medium => "medium",
        ReasoningEffort::High => "high",
        // Between high and max there is a level only since 4.7.
        ReasoningEffort::XHigh if version(model) < Some((4, 7)) => "high",
        ReasoningEffort::XHigh => "xhigh",
        ReasoningEffort::Max => "max",
    }
}

fn budget(effort: ReasoningEffort, max_tokens: u32) -> u32 {
    let percent = match effort {
        ReasoningEffort::None => 0,
        ReasoningEffort::Minimal | ReasoningEffort::Low => 20,
        ReasoningEffort::Medium => 50,
        ReasoningEffort::High => 80,
        ReasoningEffort::XHigh => 90,
        ReasoningEffort::Max => 95,
    };
    (u64::from(max_tokens) * percent / 100) as u32
}

fn enabled(budget: u32, max_tokens: u32, options: &Options) -> Thinking {
    // The budget counts within the limit and must stay below it.
    let budget = budget.min(max_tokens.saturating_sub(1));
    if budget < MIN_BUDGET {
        return Thinking::default();
    }
    Thinking {
        thinking: Some(display(
            json!({"type": "enabled", "budget_tokens": budget}),
            options,
        )),
        ..Thinking::default()
    }
}

fn display(mut thinking: Value, options: &Options) -> Value {
    if let Some(display) = &options.thinking_display {
        thinking["display"] = json!(display);
    }
    thinking
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn generations_by_name() {
        for (model, want) in [
            ("claude-opus-4-6", Generation::Adaptive),
            ("claude-opus-4-7-20260101", Generation::Adaptive),
            ("claude-sonnet-5", Generation::Adaptive),
            ("claude-opus-4-5-20251101", Generation::BudgetAndEffort),
            (
                "global.anthropic.claude-sonnet-4-5-20250929-v1:0",
                Generation::Budget,
            ),
            ("claude-sonnet-4-20250514", Generation::Budget),
            ("claude-3-7-sonnet-latest", Generation::Budget),
            ("claude-3-5-haiku-20241022", Generation::Plain),
            ("fake-model", Generation::Budget),
        ] {
            assert_eq!(generation(model), want, "{model}");
        }
    }

    #[test]
    fn effort_becomes_a_budget_or_a_word() {
        let ask = |model, effort| thinking(model, Some(effort), &Options::default(), 10_000);
        let budgeted = ask("claude-sonnet-4-5", ReasoningEffort::Medium);
        assert_eq!(
            budgeted.thinking,
            Some(json!({"type": "enabled", "budget_tokens": 5000}))
        );
        assert!(budgeted.on() && budgeted.effort.is_none());
        let adaptive = ask("claude-opus-4-6", ReasoningEffort::XHigh);
        assert_eq!(adaptive.thinking, Some(json!({"type": "adaptive"})));
        assert_eq!(adaptive.effort, Some("high"));
        assert_eq!(
            ask("claude-opus-4-7", ReasoningEffort::XHigh).effort,
            Some("xhigh")
        );
        assert!(!ask("claude-opus-4-6", ReasoningEffort::None).on());
        let tiny = thinking(
            "claude-sonnet-4-5",
            Some(ReasoningEffort::Low),
            &Options::default(),
            2000,
        );
        assert_eq!(tiny, Thinking::default());
    }
}
