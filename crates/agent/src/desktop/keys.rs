//! Keys by name, as X numbers them (`keysymdef.h` of the X protocol). Names are those of X and
//! those by which models call them; case does not matter.

/// Most keys that are pressed together.
const MAX_TOGETHER: usize = 8;

/// Keys that have a name and no character of their own.
const NAMED: &[(&str, u32)] = &[
    ("backspace", 0xff08),
    ("tab", 0xff09),
    ("linefeed", 0xff0a),
    ("return", 0xff0d),
    ("enter", 0xff0d),
    ("pause", 0xff13),
    ("scroll_lock", 0xff14),
    ("escape", 0xff1b),
    ("esc", 0xff1b),
    ("home", 0xff50),
    ("left", 0xff51),
    ("up", 0xff52),
    ("right", 0xff53),
    ("down", 0xff54),
    ("prior", 0xff55),
    ("page_up", 0xff55),
    ("pageup", 0xff55),
    ("next", 0xff56),
    ("page_down", 0xff56),
    ("pagedown", 0xff56),
    ("end", 0xff57),
    ("print", 0xff61),
    ("insert", 0xff63),
    ("menu", 0xff67),
    ("num_lock", 0xff7f),
    ("kp_enter", 0xff8d),
    ("shift", 0xffe1),
    ("shift_l", 0xffe1),
    ("shift_r", 0xffe2),
    ("ctrl", 0xffe3),
    ("control", 0xffe3),
    ("control_l", 0xffe3),
    ("control_r", 0xffe4),
    ("caps_lock", 0xffe5),
    ("alt", 0xffe9),
    ("option", 0xffe9),
    ("alt_l", 0xffe9),
    ("alt_r", 0xffea),
    ("meta", 0xffeb),
    ("super", 0xffeb),
    ("cmd", 0xffeb),
    ("command", 0xffeb),
    ("win", 0xffeb),
    ("super_l", 0xffeb),
    ("super_r", 0xffec),
    ("meta_l", 0xffe7),
    ("meta_r", 0xffe8),
    ("delete", 0xffff),
    ("del", 0xffff),
    ("space", 0x20),
    ("exclam", 0x21),
    ("quotedbl", 0x22),
    ("numbersign", 0x23),
    ("dollar", 0x24),
    ("percent", 0x25),
    ("ampersand", 0x26),
    ("apostrophe", 0x27),
    ("parenleft", 0x28),
    ("parenright", 0x29),
    ("asterisk", 0x2a),
    ("plus", 0x2b),
    ("comma", 0x2c),
    ("minus", 0x2d),
    ("period", 0x2e),
    ("slash", 0x2f),
    ("colon", 0x3a),
    ("semicolon", 0x3b),
    ("less", 0x3c),
    ("equal", 0x3d),
    ("greater", 0x3e),
    ("question", 0x3f),
    ("at", 0x40),
    ("bracketleft", 0x5b),
    ("backslash", 0x5c),
    ("bracketright", 0x5d),
    ("asciicircum", 0x5e),
    ("underscore", 0x5f),
    ("grave", 0x60),
    ("braceleft", 0x7b),
    ("bar", 0x7c),
    ("braceright", 0x7d),
    ("asciitilde", 0x7e),
];

/// The key that writes a character.
pub(super) fn of_char(c: char) -> u32 {
    match c {
        '\n' | '\r' => 0xff0d,
        '\t' => 0xff09,
        '\u{8}' => 0xff08,
        '\u{1b}' => 0xff1b,
        // Latin-1 has its own numbers; all else is its code with a mark.
        ' '..='~' | '\u{a0}'..='\u{ff}' => c.into(),
        _ => 0x0100_0000 | u32::from(c),
    }
}

/// One key by its name, or by the character that it writes.
fn one(name: &str) -> Option<u32> {
    let mut chars = name.chars();
    if let (Some(c), None) = (chars.next(), chars.next()) {
        return Some(of_char(c));
    }
    let name = name.to_ascii_lowercase();
    if let Some(number) = name.strip_prefix('f')
        && let Ok(number @ 1..=35) = number.parse::<u32>()
    {
        return Some(0xffbe + number - 1);
    }
    NAMED
        .iter()
        .find(|(known, _)| *known == name)
        .map(|(_, key)| *key)
}

/// Keys that are pressed together, such as `ctrl+shift+t`, in the order of pressing.
///
/// # Errors
/// Which of them is no key.
pub(super) fn together(text: &str) -> Result<Vec<u32>, String> {
    // A single plus is a key; so is one at the end.
    let (names, plus) = match text.strip_suffix('+') {
        Some("") => (None, true),
        Some(rest) => (Some(rest.strip_suffix('+').unwrap_or(rest)), true),
        None => (Some(text), false),
    };
    let mut keys = Vec::new();
    for name in names.into_iter().flat_map(|names| names.split('+')) {
        let name = if name.trim().is_empty() {
            name
        } else {
            name.trim()
        };
        keys.push(one(name).ok_or_else(|| format!("there is no key {name:?}"))?);
    }
    if plus {
        keys.push(of_char('+'));
    }
    if keys.is_empty() || keys.len() > MAX_TOGETHER {
        return Err(format!("1 to {MAX_TOGETHER} keys can be pressed together"));
    }
    Ok(keys)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_have_names_and_characters() {
        for (text, keys) in [
            ("Return", vec![0xff0d]),
            ("ctrl+c", vec![0xffe3, 0x63]),
            ("Control_L+Shift+T", vec![0xffe3, 0xffe1, 0x54]),
            ("F12", vec![0xffc9]),
            ("f", vec![0x66]),
            ("+", vec![0x2b]),
            ("ctrl++", vec![0xffe3, 0x2b]),
            ("ctrl+", vec![0xffe3, 0x2b]),
            (" ", vec![0x20]),
            ("ä", vec![0xe4]),
            ("€", vec![0x0100_20ac]),
        ] {
            assert_eq!(together(text).unwrap(), keys, "{text}");
        }
        for bad in ["", "hyper_x", "F36", "a+b+c+d+e+f+g+h+i"] {
            assert!(together(bad).is_err(), "{bad}");
        }
    }
}
