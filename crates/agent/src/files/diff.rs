//! A unified diff of two texts, by the shortest script of line edits (Myers).

/// Lines of context around a change.
const CONTEXT: usize = 3;
/// Edits beyond which the shortest script is not looked for: its memory grows with
/// their square, to four megabytes here. The diff then replaces the differing
/// middle as a whole.
const MAX_EDITS: usize = 1_000;

/// One line of the script.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Op {
    Keep,
    Delete,
    Insert,
}

/// The diff between `old` and `new`, both named `name`; empty if they are equal.
pub fn unified(name: &str, old: &[u8], new: &[u8]) -> String {
    let old_lines: Vec<&[u8]> = old.split_inclusive(|b| *b == b'\n').collect();
    let new_lines: Vec<&[u8]> = new.split_inclusive(|b| *b == b'\n').collect();
    let ops = script(&old_lines, &new_lines);
    let mut text = String::new();
    for hunk in hunks(&ops) {
        if text.is_empty() {
            text.push_str(&format!("--- {name}\n+++ {name}\n"));
        }
        write_hunk(&mut text, &ops, hunk, &old_lines, &new_lines);
    }
    text
}

fn script(old: &[&[u8]], new: &[&[u8]]) -> Vec<Op> {
    let before = old.iter().zip(new).take_while(|(a, b)| a == b).count();
    let (old, new) = (&old[before..], &new[before..]);
    let after = old
        .iter()
        .rev()
        .zip(new.iter().rev())
        .take_while(|(a, b)| a == b)
        .count();
    let (old, new) = (&old[..old.len() - after], &new[..new.len() - after]);
    let mut ops = vec![Op::Keep; before];
    match shortest(old, new) {
        Some(middle) => ops.extend(middle),
        None => {
            ops.extend(vec![Op::Delete; old.len()]);
            ops.extend(vec![Op::Insert; new.len()]);
        }
    }
    ops.extend(vec![Op::Keep; after]);
    ops
}

/// The greedy algorithm of Myers; `None` when too much differs.
fn shortest(old: &[&[u8]], new: &[&[u8]]) -> Option<Vec<Op>> {
    let most = (old.len() + new.len()).min(MAX_EDITS);
    // For each number of edits, the furthest line of `old` on each diagonal.
    let mut rounds: Vec<Vec<u32>> = Vec::new();
    let mut furthest = vec![0_u32; 2 * most + 2];
    for edits in 0..=most {
        for diagonal in (0..=edits).map(|i| 2 * i as isize - edits as isize) {
            let at = |d: isize| (d + most as isize) as usize;
            let down = diagonal == -(edits as isize)
                || (diagonal != edits as isize
                    && furthest[at(diagonal - 1)] < furthest[at(diagonal + 1)]);
            let mut x = match (edits, down) {
                (0, _) => 0,
                (_, true) => furthest[at(diagonal + 1)] as usize,
                (_, false) => furthest[at(diagonal - 1)] as usize + 1,
            };
            let mut y = (x as isize - diagonal) as usize;
            while x < old.len() && y < new.len() && old[x] == new[y] {
                (x, y) = (x + 1, y + 1);
            }
            furthest[at(diagonal)] = x as u32;
            if x >= old.len() && y >= new.len() {
                return Some(walk_back(&rounds, edits, old.len(), new.len()));
            }
        }
        let (from, to) = (most - edits, most + edits);
        rounds.push(furthest[from..=to].to_vec());
    }
    None
}

/// From the end to the beginning: which edit led to each round's diagonal.
fn walk_back(rounds: &[Vec<u32>], edits: usize, mut x: usize, mut y: usize) -> Vec<Op> {
    let mut ops = Vec::new();
    for edits in (1..=edits).rev() {
        let round = &rounds[edits - 1];
        let middle = edits as isize - 1;
        let reached = |d: isize| -> Option<usize> {
            let index = usize::try_from(d + middle).ok()?;
            round.get(index).map(|x| *x as usize)
        };
        let diagonal = x as isize - y as isize;
        let (left, right) = (reached(diagonal - 1), reached(diagonal + 1));
        let down = match (left, right) {
            (None, _) => true,
            (_, None) => false,
            (Some(left), Some(right)) => left < right,
        };
        let (from_x, from_diagonal) = if down {
            (right.unwrap_or(0), diagonal + 1)
        } else {
            (left.unwrap_or(0), diagonal - 1)
        };
        let from_y = (from_x as isize - from_diagonal) as usize;
        let (after_x, op) = if down {
            (from_x, Op::Insert)
        } else {
            (from_x + 1, Op::Delete)
        };
        ops.extend(std::iter::repeat_n(Op::Keep, x - after_x));
        ops.push(op);
        (x, y) = (from_x, from_y);
    }
    ops.extend(std::iter::repeat_n(Op::Keep, x));
    ops.reverse();
    ops
}

/// Ranges of the script that belong together: changes with their context.
fn hunks(ops: &[Op]) -> Vec<std::ops::Range<usize>> {
    let mut hunks: Vec<std::ops::Range<usize>> = Vec::new();
    for (index, _) in ops.iter().enumerate().filter(|(_, op)| **op != Op::Keep) {
        let range = index.saturating_sub(CONTEXT)..(index + CONTEXT + 1).min(ops.len());
        match hunks.last_mut() {
            Some(last) if range.start <= last.end => last.end = range.end,
            _ => hunks.push(range),
        }
    }
    hunks
}

fn write_hunk(
    text: &mut String,
    ops: &[Op],
    hunk: std::ops::Range<usize>,
    old: &[&[u8]],
    new: &[&[u8]],
) {
    let count = |range: std::ops::Range<usize>, without: Op| {
        ops[range].iter().filter(|op| **op != without).count()
    };
    let mut in_old = count(0..hunk.start, Op::Insert);
    let mut in_new = count(0..hunk.start, Op::Delete);
    let lengths = (
        count(hunk.clone(), Op::Insert),
        count(hunk.clone(), Op::Delete),
    );
    text.push_str(&format!(
        "@@ -{} +{} @@\n",
        place(in_old, lengths.0),
        place(in_new, lengths.1)
    ));
    for op in &ops[hunk] {
        let (mark, line) = match op {
            Op::Keep => (' ', old[in_old]),
            Op::Delete => ('-', old[in_old]),
            Op::Insert => ('+', new[in_new]),
        };
        in_old += usize::from(*op != Op::Insert);
        in_new += usize::from(*op != Op::Delete);
        text.push(mark);
        text.push_str(&String::from_utf8_lossy(line));
        if !line.ends_with(b"\n") {
            text.push_str("\n\\ No newline at end of file\n");
        }
    }
}

/// Where a hunk stands in one file: its first line, and its length unless that is one.
fn place(before: usize, length: usize) -> String {
    match length {
        0 => format!("{before},0"),
        1 => format!("{}", before + 1),
        length => format!("{},{length}", before + 1),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_reads_as_diffs_do() {
        let old = b"a\nb\nc\nd\ne\nf\ng\nh\n";
        let new = b"a\nB\nc\nd\ne\nf\ng\nh\ni";
        assert_eq!(
            unified("/f", old, new),
            "--- /f\n+++ /f\n@@ -1,8 +1,9 @@\n a\n-b\n+B\n c\n d\n e\n f\n g\n h\n+i\n\
             \\ No newline at end of file\n"
        );
        assert_eq!(
            unified("/f", b"", b"x\n"),
            "--- /f\n+++ /f\n@@ -0,0 +1 @@\n+x\n"
        );
        assert_eq!(unified("/f", old, old), "");
    }

    /// Applies a script, to see that it leads from one text to the other.
    fn apply(old: &[&[u8]], new: &[&[u8]], ops: &[Op]) -> Vec<u8> {
        let (mut x, mut y, mut out) = (0, 0, Vec::new());
        for op in ops {
            match op {
                Op::Keep => out.extend_from_slice(old[x]),
                Op::Insert => out.extend_from_slice(new[y]),
                Op::Delete => {}
            }
            x += usize::from(*op != Op::Insert);
            y += usize::from(*op != Op::Delete);
        }
        assert_eq!((x, y), (old.len(), new.len()));
        out
    }

    #[test]
    fn scripts_lead_from_old_to_new() {
        use rand::{Rng, SeedableRng};
        let mut random = rand::rngs::StdRng::seed_from_u64(7);
        for _ in 0..300 {
            let mut text = || {
                let lines = random.random_range(0..30);
                (0..lines)
                    .map(|_| vec![b'a' + random.random_range(0..4), b'\n'])
                    .collect::<Vec<_>>()
            };
            let (old, new) = (text(), text());
            let old: Vec<&[u8]> = old.iter().map(Vec::as_slice).collect();
            let new: Vec<&[u8]> = new.iter().map(Vec::as_slice).collect();
            assert_eq!(apply(&old, &new, &script(&old, &new)), new.concat());
        }
    }

    #[test]
    fn texts_with_nothing_in_common_are_replaced_as_a_whole() {
        let old: String = (0..3000).map(|n| format!("a{n}\n")).collect();
        let new: String = (0..3000).map(|n| format!("b{n}\n")).collect();
        let diff = unified("/f", old.as_bytes(), new.as_bytes());
        assert_eq!(diff.lines().count(), 3 + 6000);
    }
}
