//! The programs that a shell command line calls, for people who watch: one entry per simple
//! command, its name and its first word. A reading for show, not a shell.

use api_types::ChatMessagePart;

/// Most commands told of one line.
const MAX_COMMANDS: usize = 32;

/// The programs of an `execute` call.
pub(super) fn parsed(call: &ChatMessagePart) -> Vec<Vec<String>> {
    let command = call.args.as_ref().and_then(|args| args.get("command"));
    command
        .and_then(|command| command.as_str())
        .map(programs)
        .unwrap_or_default()
}

fn programs(line: &str) -> Vec<Vec<String>> {
    let mut out = Vec::new();
    for simple in split(line) {
        let mut words = simple
            .into_iter()
            .skip_while(|word| is_assignment(word))
            .take(2);
        if let Some(program) = words.next() {
            let mut entry = vec![program];
            entry.extend(words.next());
            out.push(entry);
        }
        if out.len() == MAX_COMMANDS {
            break;
        }
    }
    out
}

fn is_assignment(word: &str) -> bool {
    word.split_once('=').is_some_and(|(name, _)| {
        !name.is_empty() && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
    })
}

/// Words of each simple command, cut at operators outside quotes.
fn split(line: &str) -> Vec<Vec<String>> {
    let mut commands = vec![Vec::new()];
    let mut word: Option<String> = None;
    let mut quote: Option<char> = None;
    let mut chars = line.chars();
    let end = |commands: &mut Vec<Vec<String>>, word: &mut Option<String>| {
        if let (Some(word), Some(last)) = (word.take(), commands.last_mut()) {
            last.push(word);
        }
    };
    while let Some(c) = chars.next() {
        match (quote, c) {
            (Some(q), c) if c == q => quote = None,
            (Some('"') | None, '\\') => word.get_or_insert_default().extend(chars.next()),
            (Some(_), c) => word.get_or_insert_default().push(c),
            (None, '\'' | '"') => {
                quote = Some(c);
                word.get_or_insert_default();
            }
            (None, ';' | '|' | '&' | '\n' | '(' | ')') => {
                end(&mut commands, &mut word);
                commands.push(Vec::new());
            }
            (None, c) if c.is_whitespace() => end(&mut commands, &mut word),
            (None, c) => word.get_or_insert_default().push(c),
        }
    }
    end(&mut commands, &mut word);
    commands.retain(|words| !words.is_empty());
    commands
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn programs_of_a_line() {
        let got = programs("cd /src && FOO=1 git status | grep 'a; b' -c; echo \"x && y\"");
        let expected: [&[&str]; 4] = [
            &["cd", "/src"],
            &["git", "status"],
            &["grep", "a; b"],
            &["echo", "x && y"],
        ];
        assert_eq!(got, expected);
        assert!(programs("  ;; && ").is_empty());
        assert_eq!(programs("echo 'open"), [["echo", "open"]]);
    }
}
