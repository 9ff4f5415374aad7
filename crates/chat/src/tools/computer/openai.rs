//! What a call of OpenAI's computer tool asks for: several actions at once, with keys of their own names,
//! and distances in pixels.

use std::time::Duration;

use api_types::DesktopAction;
use serde_json::Value;

use super::actions::{Step, at, plain, whole, with_text};
use crate::tools::args::Args;
use crate::tools::shape::Failed;

/// Most actions of a call, and points of a drag.
const MAX_ACTIONS: usize = 100;
/// A click of a wheel moves a page by so many pixels.
const PIXELS_PER_CLICK: u64 = 100;
/// Most clicks of the wheel at once, as agents take them.
const MAX_CLICKS: u64 = 100;
/// How long `wait` is.
const WAIT: Duration = Duration::from_secs(1);

/// Keys whose names differ from those of X.
const KEYS: &[(&str, &str)] = &[
    ("control", "ctrl"),
    ("ctrl", "ctrl"),
    ("cmd", "meta"),
    ("command", "meta"),
    ("meta", "meta"),
    ("super", "meta"),
    ("win", "meta"),
    ("shift", "shift"),
    ("alt", "alt"),
    ("option", "alt"),
    ("enter", "Return"),
    ("return", "Return"),
    ("esc", "Escape"),
    ("escape", "Escape"),
    ("tab", "Tab"),
    ("space", "space"),
    ("backspace", "BackSpace"),
    ("delete", "Delete"),
    ("del", "Delete"),
    ("insert", "Insert"),
    ("home", "Home"),
    ("end", "End"),
    ("pageup", "Page_Up"),
    ("pagedown", "Page_Down"),
    ("arrowup", "Up"),
    ("arrowdown", "Down"),
    ("arrowleft", "Left"),
    ("arrowright", "Right"),
    ("up", "Up"),
    ("down", "Down"),
    ("left", "Left"),
    ("right", "Right"),
];

/// The steps of a call; the screenshot of its end is none.
pub(super) fn steps(args: &Args) -> Result<Vec<Step>, Failed> {
    if let Some(Value::Array(checks)) = args.0.get("pending_safety_checks") {
        let said: Vec<&str> = checks
            .iter()
            .filter_map(|check| check["message"].as_str())
            .collect();
        return Err(Failed(format!(
            "Nothing was done. The provider wants the user to be asked first: {} End here and ask.",
            said.join(" ")
        )));
    }
    let actions = match args.0.get("actions") {
        Some(Value::Array(actions)) if actions.len() <= MAX_ACTIONS => actions,
        _ => {
            return Err(Failed(format!(
                "actions must be a list of at most {MAX_ACTIONS}"
            )));
        }
    };
    let mut steps = Vec::new();
    for action in actions {
        let keys = modifiers(action)?;
        for key in &keys {
            steps.push(Step::Act(with_text("key_down", key)));
        }
        steps.extend(one(action)?);
        for key in keys.iter().rev() {
            steps.push(Step::Act(with_text("key_up", key)));
        }
    }
    Ok(steps)
}

/// Keys that are held while something else is done.
fn modifiers(action: &Value) -> Result<Vec<String>, Failed> {
    if action["type"] == "keypress" {
        return Ok(Vec::new());
    }
    keys(action)
}

fn keys(action: &Value) -> Result<Vec<String>, Failed> {
    let all = action["keys"]
        .as_array()
        .map(Vec::as_slice)
        .unwrap_or_default();
    let name = |key: &Value| key.as_str().and_then(key_name);
    all.iter()
        .map(|key| name(key).ok_or_else(|| Failed(format!("there is no key {key}"))))
        .collect()
}

fn key_name(key: &str) -> Option<String> {
    let key = key.trim();
    let lower = key.to_lowercase();
    if let Some((_, name)) = KEYS.iter().find(|(known, _)| *known == lower) {
        return Some((*name).to_owned());
    }
    let mut chars = lower.chars();
    match (chars.next(), chars.as_str()) {
        (Some(_), "") => Some(lower),
        (Some('f'), number) if number.parse().is_ok_and(|n: u32| (1..=35).contains(&n)) => {
            Some(format!("F{number}"))
        }
        _ => None,
    }
}

fn number(action: &Value, key: &str) -> Result<i64, Failed> {
    whole(&action[key]).ok_or_else(|| Failed(format!("{} needs the number {key}", action["type"])))
}

fn point(action: &Value) -> Result<[i64; 2], Failed> {
    Ok([number(action, "x")?, number(action, "y")?])
}

fn one(action: &Value) -> Result<Vec<Step>, Failed> {
    let act = |action| vec![Step::Act(action)];
    Ok(match action["type"].as_str().unwrap_or_default() {
        // One picture follows all actions.
        "screenshot" => Vec::new(),
        "wait" => vec![Step::Wait(WAIT)],
        "move" => act(at("mouse_move", point(action)?)),
        "click" => {
            let here = point(action)?;
            let back = |key: &str| {
                let there = Step::Act(at("mouse_move", here));
                vec![there, Step::Act(with_text("key", key))]
            };
            match action["button"].as_str().unwrap_or("left") {
                "" | "left" => act(at("left_click", here)),
                "right" => act(at("right_click", here)),
                "middle" | "wheel" => act(at("middle_click", here)),
                "back" => back("alt+Left"),
                "forward" => back("alt+Right"),
                other => return Err(Failed(format!("there is no button {other:?}"))),
            }
        }
        "double_click" => act(at("double_click", point(action)?)),
        "drag" => drag(action)?,
        "keypress" => {
            let keys = keys(action)?;
            if keys.is_empty() {
                return Err("keypress needs keys".into());
            }
            act(with_text("key", keys.join("+")))
        }
        "type" => match action["text"].as_str() {
            Some(text) => act(with_text("type", text)),
            None => return Err("type needs a text".into()),
        },
        "scroll" => scroll(action)?,
        other => return Err(Failed(format!("there is no action {other:?}"))),
    })
}

fn drag(action: &Value) -> Result<Vec<Step>, Failed> {
    let path = action["path"]
        .as_array()
        .map(Vec::as_slice)
        .unwrap_or_default();
    let [first, rest @ ..] = path else {
        return Err("drag needs a path".into());
    };
    if rest.is_empty() || rest.len() > MAX_ACTIONS {
        return Err(Failed(format!("a path has 2 to {MAX_ACTIONS} points")));
    }
    let place = |point: &Value| {
        let both = [whole(&point["x"]), whole(&point["y"])];
        match both {
            [Some(x), Some(y)] => Ok(Step::Act(at("mouse_move", [x, y]))),
            _ => Err(Failed(format!("{point} is no point of a path"))),
        }
    };
    let mut steps = vec![place(first)?, Step::Act(plain("left_mouse_down"))];
    for point in rest {
        steps.push(place(point)?);
    }
    steps.push(Step::Act(plain("left_mouse_up")));
    Ok(steps)
}

fn scroll(action: &Value) -> Result<Vec<Step>, Failed> {
    let here = point(action)?;
    let mut steps = vec![Step::Act(at("mouse_move", here))];
    for (key, back, forth) in [("scroll_y", "up", "down"), ("scroll_x", "left", "right")] {
        let pixels = number(action, key).unwrap_or(0);
        if pixels == 0 {
            continue;
        }
        let clicks = pixels
            .unsigned_abs()
            .div_ceil(PIXELS_PER_CLICK)
            .min(MAX_CLICKS);
        steps.push(Step::Act(DesktopAction {
            scroll_amount: i64::try_from(clicks).ok(),
            scroll_direction: Some(if pixels < 0 { back } else { forth }.to_owned()),
            ..at("scroll", here)
        }));
    }
    Ok(steps)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn of(actions: Value) -> Result<Vec<Step>, Failed> {
        let args = json!({ "actions": actions });
        steps(&Args(args.as_object().unwrap().clone()))
    }

    /// Names, texts and points of the steps.
    fn told(actions: Value) -> Vec<String> {
        let told = |step: Step| match step {
            Step::Wait(pause) => format!("wait {}", pause.as_secs()),
            Step::Act(action) => {
                let mut text = action.action;
                if let Some([x, y]) = action.coordinate {
                    text += &format!(" {x},{y}");
                }
                if let (Some(n), Some(way)) = (action.scroll_amount, action.scroll_direction) {
                    text += &format!(" {n} {way}");
                }
                action
                    .text
                    .map_or(text.clone(), |more| format!("{text} {more}"))
            }
        };
        of(actions).unwrap().into_iter().map(told).collect()
    }

    #[test]
    fn actions_become_steps() {
        assert_eq!(
            told(json!([
                { "type": "screenshot" },
                { "type": "click", "button": "left", "x": 1, "y": 2, "keys": ["CTRL", "Shift"] },
                { "type": "keypress", "keys": ["Control", "ENTER"] },
                { "type": "type", "text": "hi" },
                { "type": "wait" },
            ])),
            [
                "key_down ctrl",
                "key_down shift",
                "left_click 1,2",
                "key_up shift",
                "key_up ctrl",
                "key ctrl+Return",
                "type hi",
                "wait 1"
            ]
        );
        assert_eq!(
            told(json!([{ "type": "drag", "path": [{"x": 1, "y": 1}, {"x": 2, "y": 2}] }])),
            [
                "mouse_move 1,1",
                "left_mouse_down",
                "mouse_move 2,2",
                "left_mouse_up"
            ]
        );
        assert_eq!(
            told(json!([{ "type": "scroll", "x": 5, "y": 6, "scroll_x": -1, "scroll_y": 250 }])),
            ["mouse_move 5,6", "scroll 5,6 3 down", "scroll 5,6 1 left"]
        );
        let back = told(json!([{ "type": "click", "button": "back", "x": 1, "y": 2 }]));
        assert_eq!(back, ["mouse_move 1,2", "key alt+Left"]);
        assert_eq!(key_name("F11").as_deref(), Some("F11"));
        assert_eq!(key_name("F36"), None);
    }

    #[test]
    fn what_makes_no_sense_is_told() {
        for wrong in [
            json!({ "type": "launch" }),
            json!({ "type": "click" }),
            json!({ "type": "click", "x": 1, "y": 1, "button": "nose" }),
            json!({ "type": "keypress" }),
            json!({ "type": "keypress", "keys": ["hyper"] }),
            json!({ "type": "drag", "path": [{"x": 1, "y": 1}] }),
            json!({ "type": "drag", "path": [1, 2] }),
            json!({ "type": "type" }),
            json!(7),
        ] {
            assert!(of(json!([wrong.clone()])).is_err(), "{wrong}");
        }
        assert!(of(json!({})).is_err());
        assert!(of(json!(vec![json!({ "type": "wait" }); 101])).is_err());
        // What the user should be asked is not done.
        let check = json!({ "id": "1", "code": "x", "message": "This looks like a bank." });
        let args = json!({ "actions": [], "pending_safety_checks": [check] });
        let error = steps(&Args(args.as_object().unwrap().clone())).unwrap_err();
        assert!(error.0.contains("a bank"), "{error:?}");
    }
}
