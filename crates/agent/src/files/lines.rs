//! Reading a text file by lines, each with its number, within bounds that the
//! caller sets. What is wrong is part of the answer: its readers are models.

use std::io::Read;

use api_types::{ReadFileLinesLimits, ReadFileLinesResponse};

use super::{FileError, Kind, read};

/// Largest file that is read into memory, whatever the caller allows.
const MAX_FILE: u64 = 64 * 1024 * 1024;
/// Put after a line that was cut.
const CUT: &str = "... [truncated]";

/// Reads `limit` lines (zero: as many as one answer may have) from line `offset`,
/// counted from one.
pub fn read(
    path: &str,
    offset: u64,
    limit: u64,
    limits: ReadFileLinesLimits,
) -> ReadFileLinesResponse {
    match try_read(path, offset.max(1), limit, limits) {
        Ok(response) => response,
        Err(error) => ReadFileLinesResponse {
            error,
            ..Default::default()
        },
    }
}

fn try_read(
    path: &str,
    offset: u64,
    limit: u64,
    limits: ReadFileLinesLimits,
) -> Result<ReadFileLinesResponse, String> {
    let (file, metadata, _) = read::open(path).map_err(|error| explain(error, path))?;
    let most = limits.max_file_size.min(MAX_FILE);
    let too_large = |size: u64| {
        format!(
            "file is {size} bytes which exceeds the maximum of {most} bytes. Use grep, sed, or awk \
             to extract the content you need, or use offset and limit to read a portion."
        )
    };
    if metadata.len() > most {
        return Err(too_large(metadata.len()));
    }
    let mut text = Vec::new();
    // It may grow while it is read.
    file.take(most + 1)
        .read_to_end(&mut text)
        .map_err(|error| format!("read file: {}", super::failure::reason(&error)))?;
    if text.len() as u64 > most {
        return Err(too_large(text.len() as u64));
    }
    if text.is_empty() {
        return Ok(ReadFileLinesResponse {
            success: true,
            ..Default::default()
        });
    }
    let lines: Vec<&[u8]> = text.split(|byte| *byte == b'\n').collect();
    let total = lines.len() as u64;
    if offset > total {
        return Err(format!(
            "offset {offset} is beyond the file length of {total} lines"
        ));
    }
    let wanted = if limit == 0 {
        limits.max_response_lines
    } else {
        limit
    };
    let wanted = wanted.min(total - offset + 1);
    if wanted > limits.max_response_lines {
        return Err(over(limits.max_response_lines, "lines"));
    }
    let mut content = String::new();
    for (index, line) in (offset..)
        .zip(&lines[offset as usize - 1..])
        .take(wanted as usize)
    {
        if !content.is_empty() {
            content.push('\n');
        }
        content.push_str(&format!("{index}\t{}", cut(line, limits.max_line_bytes)));
        if content.len() as u64 > limits.max_response_bytes {
            return Err(over(limits.max_response_bytes, "bytes"));
        }
    }
    Ok(ReadFileLinesResponse {
        success: true,
        file_size: text.len() as u64,
        total_lines: total,
        lines_read: wanted,
        content,
        error: String::new(),
    })
}

fn over(most: u64, what: &str) -> String {
    format!(
        "output would exceed {most} {what}. Read less at a time using offset and limit parameters."
    )
}

fn cut(line: &[u8], most: u64) -> String {
    let text = String::from_utf8_lossy(line);
    let most = usize::try_from(most).unwrap_or(usize::MAX);
    if text.len() <= most {
        return text.into_owned();
    }
    let end = text.floor_char_boundary(most);
    format!("{}{CUT}", &text[..end])
}

fn explain(error: FileError, path: &str) -> String {
    match error.kind {
        Kind::Missing => format!("file does not exist: {path}"),
        Kind::Forbidden => format!("permission denied: {path}"),
        Kind::Invalid if error.text.ends_with("not a file") => format!("not a file: {path}"),
        _ => error.text,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(
        text: &str,
        offset: u64,
        limit: u64,
        limits: ReadFileLinesLimits,
    ) -> ReadFileLinesResponse {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), text).unwrap();
        read(file.path().to_str().unwrap(), offset, limit, limits)
    }

    #[test]
    fn lines_have_numbers() {
        let got = of("a\nb\nc\n", 2, 2, ReadFileLinesLimits::default());
        assert!(got.success);
        assert_eq!(got.content, "2\tb\n3\tc");
        assert_eq!((got.file_size, got.total_lines, got.lines_read), (6, 4, 2));
        assert!(of("", 1, 0, ReadFileLinesLimits::default()).success);
    }

    #[test]
    fn bounds_are_kept_and_explained() {
        let limits = ReadFileLinesLimits {
            max_file_size: 40,
            max_line_bytes: 5,
            max_response_lines: 3,
            max_response_bytes: 24,
        };
        assert_eq!(
            of("12345678\n", 1, 1, limits).content,
            "1\t12345... [truncated]"
        );
        assert_eq!(of("ééé\n", 1, 1, limits).content, "1\téé... [truncated]");
        let said = |text: &str, offset, limit| {
            let got = of(text, offset, limit, limits);
            assert!(!got.success);
            got.error
        };
        assert!(said(&"x".repeat(41), 1, 0).contains("exceeds the maximum of 40 bytes"));
        assert!(said("a\nb", 3, 0).contains("beyond the file length of 2 lines"));
        assert!(said("a\nb\nc\nd", 1, 4).contains("exceed 3 lines"));
        assert!(said("123456\n123456", 1, 2).contains("exceed 24 bytes"));
        assert_eq!(of("a\nb\nc\nd", 1, 0, limits).lines_read, 3);
    }

    #[test]
    fn what_is_no_file_is_named() {
        let said = |path: &str| read(path, 1, 0, ReadFileLinesLimits::default()).error;
        assert_eq!(said("/nowhere/x"), "file does not exist: /nowhere/x");
        assert_eq!(said("/tmp"), "not a file: /tmp");
        assert!(said("x").contains("must be absolute"));
    }
}
