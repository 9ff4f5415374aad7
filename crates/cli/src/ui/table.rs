//! Plain aligned columns: they read well and `awk` reads them too.

use unicode_width::UnicodeWidthStr;

/// Space between columns.
const GAP: usize = 2;

/// Lays out `rows` under `header`, whose names appear in capitals.
pub fn render(header: &[&str], rows: &[Vec<String>]) -> String {
    let header: Vec<String> = header.iter().map(|h| h.to_uppercase()).collect();
    let mut widths: Vec<usize> = header.iter().map(|h| h.width()).collect();
    let rows: Vec<Vec<String>> = rows
        .iter()
        .map(|r| r.iter().map(|c| one_line(c)).collect())
        .collect();
    for row in &rows {
        for (width, cell) in widths.iter_mut().zip(row) {
            *width = (*width).max(visible_width(cell));
        }
    }
    let mut out = String::new();
    for row in std::iter::once(&header).chain(&rows) {
        let mut line = String::new();
        for (width, cell) in widths.iter().zip(row) {
            line.push_str(cell);
            line.extend(std::iter::repeat_n(' ', width - visible_width(cell) + GAP));
        }
        out.push_str(line.trim_end());
        out.push('\n');
    }
    out
}

/// A cell is one line: control characters of foreign text do not reach the
/// terminal, except the colours that this program put there itself.
fn one_line(cell: &str) -> String {
    cell.chars()
        .map(|c| {
            if c.is_control() && c != '\x1b' {
                ' '
            } else {
                c
            }
        })
        .collect()
}

/// Width on a terminal, without colour sequences.
fn visible_width(cell: &str) -> usize {
    let mut rest = cell;
    let mut width = 0;
    while let Some(start) = rest.find("\x1b[") {
        width += rest[..start].width();
        rest = rest[start..].split_once('m').map_or("", |(_, after)| after);
    }
    width + rest.width()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_align_by_visible_width() {
        let rows = vec![
            vec!["\x1b[31mred\x1b[0m".to_owned(), "1".to_owned()],
            vec!["日本".to_owned(), "2".to_owned()],
            vec!["a\nb".to_owned(), String::new()],
        ];
        let text = render(&["name", "n"], &rows);
        assert_eq!(text, "NAME  N\n\x1b[31mred\x1b[0m   1\n日本  2\na b\n");
    }
}
