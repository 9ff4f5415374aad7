//! Server-sent events, as far as servers use them: `event` and `data` lines.
//! Source: the HTML standard, section "Server-sent events".

/// One event.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Event {
    /// Its type; `message` if none is given.
    pub(crate) kind: String,
    /// Its data lines, joined by newlines.
    pub(crate) data: String,
}

/// Reads events from pieces of any size. What it holds back is for its user to bound.
#[derive(Debug, Default)]
pub(crate) struct Events {
    text: Vec<u8>,
    searched: usize,
}

impl Events {
    /// Takes the next piece of the body.
    pub(crate) fn push(&mut self, piece: &[u8]) {
        self.text.extend_from_slice(piece);
    }

    /// Bytes of the event under way.
    pub(crate) fn held(&self) -> usize {
        self.text.len()
    }

    /// The next complete event.
    pub(crate) fn next(&mut self) -> Option<Event> {
        loop {
            let (end, next) = self.gap()?;
            let block = String::from_utf8_lossy(&self.text[..end]).into_owned();
            self.text.drain(..next);
            self.searched = 0;
            let mut kind = "message";
            let mut data: Option<String> = None;
            for line in block.lines() {
                let (field, value) = line.split_once(':').unwrap_or((line, ""));
                let value = value.strip_prefix(' ').unwrap_or(value);
                match field {
                    "event" => kind = value,
                    "data" => match &mut data {
                        Some(data) => {
                            data.push('\n');
                            data.push_str(value);
                        }
                        None => data = Some(value.to_owned()),
                    },
                    _ => {}
                }
            }
            if let Some(data) = data {
                return Some(Event {
                    kind: kind.to_owned(),
                    data,
                });
            }
        }
    }

    /// Where the first event ends, and where the next begins.
    fn gap(&mut self) -> Option<(usize, usize)> {
        let from = self.searched.saturating_sub(3);
        for at in from..self.text.len() {
            let rest = &self.text[at..];
            for gap in [&b"\n\n"[..], b"\r\n\r\n", b"\r\r"] {
                if rest.starts_with(gap) {
                    return Some((at, at + gap.len()));
                }
            }
        }
        self.searched = self.text.len();
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn events_come_in_pieces_of_any_size() {
        let text =
            b": hi\n\nevent: endpoint\ndata: /m?x=1\r\n\r\ndata: {\"a\":1,\ndata: \"b\":2}\n\nrest";
        for size in 1..text.len() {
            let mut events = Events::default();
            let mut found = Vec::new();
            for piece in text.chunks(size) {
                events.push(piece);
                found.extend(std::iter::from_fn(|| events.next()));
            }
            assert_eq!(found.len(), 2, "{size}");
            assert_eq!(
                (found[0].kind.as_str(), found[0].data.as_str()),
                ("endpoint", "/m?x=1")
            );
            assert_eq!(found[1].kind, "message");
            assert_eq!(found[1].data, "{\"a\":1,\n\"b\":2}");
            assert_eq!(events.held(), 4);
        }
    }
}
