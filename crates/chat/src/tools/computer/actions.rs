//! What a call of the computer tool asks for, in the words of Anthropic's tool, which our own tool has
//! too.

use std::time::Duration;

use api_types::DesktopAction;
use serde_json::Value;

use crate::tools::args::Args;
use crate::tools::shape::Failed;

/// What can be done.
pub(super) const NAMES: [&str; 18] = [
    "screenshot",
    "left_click",
    "right_click",
    "middle_click",
    "double_click",
    "triple_click",
    "mouse_move",
    "left_click_drag",
    "left_mouse_down",
    "left_mouse_up",
    "scroll",
    "type",
    "key",
    "key_down",
    "key_up",
    "hold_key",
    "cursor_position",
    "wait",
];
/// Longest pause that a model may ask for, in seconds.
const MAX_WAIT: f64 = 60.0;
/// How long it waits when it does not say.
const WAIT: f64 = 1.0;

/// One step on the screen.
#[derive(Debug, Clone, PartialEq)]
pub(in crate::tools) enum Step {
    /// Something done.
    Act(DesktopAction),
    /// Nothing, for a while.
    Wait(Duration),
}

/// An action without details.
pub(super) fn plain(action: &str) -> DesktopAction {
    DesktopAction {
        action: action.to_owned(),
        ..DesktopAction::default()
    }
}

/// An action with keys or a text.
pub(super) fn with_text(action: &str, text: impl Into<String>) -> DesktopAction {
    DesktopAction {
        text: Some(text.into()),
        ..plain(action)
    }
}

/// An action at a point.
pub(super) fn at(action: &str, point: [i64; 2]) -> DesktopAction {
    DesktopAction {
        coordinate: Some(point),
        ..plain(action)
    }
}

/// The steps of a call; the screenshot of its end is none.
pub(super) fn steps(args: &Args) -> Result<Vec<Step>, Failed> {
    let name = args.text("action")?;
    if !NAMES.contains(&name) {
        return Err(Failed(format!(
            "There is no action {name:?}. There are: {}.",
            NAMES.join(", ")
        )));
    }
    let seconds = match args.0.get("duration") {
        None | Some(Value::Null) => None,
        Some(value) => Some(
            value
                .as_f64()
                .filter(|seconds| (0.0..=MAX_WAIT).contains(seconds))
                .ok_or_else(|| format!("duration must be 0 to {MAX_WAIT} seconds"))?,
        ),
    };
    if name == "screenshot" {
        return Ok(Vec::new());
    }
    if name == "wait" {
        let pause = Duration::from_secs_f64(seconds.unwrap_or(WAIT));
        return Ok(vec![Step::Wait(pause)]);
    }
    let number = |key: &str| match args.0.get(key) {
        None | Some(Value::Null) => Ok(None),
        Some(value) => whole(value)
            .map(Some)
            .ok_or_else(|| Failed(format!("{key} must be a whole number"))),
    };
    Ok(vec![Step::Act(DesktopAction {
        action: name.to_owned(),
        coordinate: point(args, "coordinate")?,
        start_coordinate: point(args, "start_coordinate")?,
        text: args.maybe("text")?.map(str::to_owned),
        // Models count in seconds, agents in milliseconds.
        duration: seconds.map(|seconds| (seconds * 1000.0) as i64),
        scroll_amount: number("scroll_amount")?,
        scroll_direction: args.maybe("scroll_direction")?.map(str::to_owned),
        ..DesktopAction::default()
    })])
}

/// A whole number; some models write every number with a point.
pub(super) fn whole(value: &Value) -> Option<i64> {
    value.as_i64().or_else(|| value.as_f64().map(|n| n as i64))
}

fn point(args: &Args, key: &str) -> Result<Option<[i64; 2]>, Failed> {
    let wrong = || Failed(format!("{key} must be two whole numbers, [x, y]"));
    match args.0.get(key) {
        None | Some(Value::Null) => Ok(None),
        Some(Value::Array(both)) => match both.as_slice() {
            [x, y] => Ok(Some([
                whole(x).ok_or_else(wrong)?,
                whole(y).ok_or_else(wrong)?,
            ])),
            _ => Err(wrong()),
        },
        Some(_) => Err(wrong()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn of(value: Value) -> Result<Vec<Step>, Failed> {
        steps(&Args(value.as_object().unwrap().clone()))
    }

    #[test]
    fn calls_become_steps() {
        let click = of(json!({ "action": "left_click", "coordinate": [3, 4] })).unwrap();
        assert_eq!(click, [Step::Act(at("left_click", [3, 4]))]);
        // A point at the corner is one.
        let corner = of(json!({ "action": "mouse_move", "coordinate": [0, 0] })).unwrap();
        assert_eq!(corner, [Step::Act(at("mouse_move", [0, 0]))]);
        let wait = of(json!({ "action": "wait", "duration": 1.5 })).unwrap();
        assert_eq!(wait, [Step::Wait(Duration::from_millis(1500))]);
        let hold = of(json!({ "action": "hold_key", "text": "a", "duration": 2 })).unwrap();
        let held = DesktopAction {
            duration: Some(2000),
            ..with_text("hold_key", "a")
        };
        assert_eq!(hold, [Step::Act(held)]);
        assert_eq!(of(json!({ "action": "screenshot" })).unwrap(), []);
    }

    #[test]
    fn what_makes_no_sense_is_told() {
        for wrong in [
            json!({}),
            json!({ "action": "launch" }),
            json!({ "action": 7 }),
            json!({ "action": "left_click", "coordinate": [1] }),
            json!({ "action": "left_click", "coordinate": ["1", 2] }),
            json!({ "action": "left_click", "coordinate": {"x": 1} }),
            json!({ "action": "wait", "duration": 1e9 }),
            json!({ "action": "wait", "duration": -1 }),
            json!({ "action": "scroll", "coordinate": [1, 1], "scroll_amount": "many" }),
        ] {
            assert!(of(wrong.clone()).is_err(), "{wrong}");
        }
    }
}
