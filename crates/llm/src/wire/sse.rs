//! Server-sent events, as far as model providers use them: `event` and `data` lines.
//! Source: the HTML standard, section "Server-sent events".

/// Longest event. A provider repeats the whole answer in its last event, so this is a multiple of
/// what one answer may hold.
pub(crate) const MAX_EVENT_BYTES: usize = 48 << 20;

/// Reads events from pieces of any size.
#[derive(Debug, Default)]
pub(crate) struct Sse {
    /// What was received and not yet read as lines.
    buffer: Vec<u8>,
    /// Up to where `buffer` was searched for an end of line.
    searched: usize,
    event: String,
    data: String,
    has_data: bool,
}

/// One event.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct SseEvent {
    /// Its type, often empty.
    pub(crate) event: String,
    /// Its data lines, joined by newlines.
    pub(crate) data: String,
}

/// An event longer than [`MAX_EVENT_BYTES`].
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct TooLong;

impl Sse {
    /// Takes the next piece of the body; complete events go to `events`.
    pub(crate) fn push(&mut self, piece: &[u8], events: &mut Vec<SseEvent>) -> Result<(), TooLong> {
        self.buffer.extend_from_slice(piece);
        let mut start = 0;
        loop {
            let Some(end) = self.line_end() else {
                // The next piece goes on from here: a long line is searched once.
                self.searched = self.buffer.len();
                break;
            };
            let line = String::from_utf8_lossy(&self.buffer[start..end]).into_owned();
            let mut next = end + 1;
            if self.buffer[end] == b'\r' {
                match self.buffer.get(next) {
                    Some(b'\n') => next += 1,
                    Some(_) => {}
                    // The other half of CRLF may be in the next piece.
                    None => {
                        self.searched = end;
                        break;
                    }
                }
            }
            self.line(&line, events);
            start = next;
            self.searched = next;
        }
        self.buffer.drain(..start);
        self.searched -= start;
        if self.buffer.len() + self.data.len() > MAX_EVENT_BYTES {
            return Err(TooLong);
        }
        Ok(())
    }

    /// The body ended: a last event without an empty line after it counts too, as some servers leave
    /// it out.
    pub(crate) fn finish(&mut self, events: &mut Vec<SseEvent>) {
        let rest = std::mem::take(&mut self.buffer);
        self.searched = 0;
        let line = String::from_utf8_lossy(&rest);
        let line = line.trim_end_matches('\r');
        // A line cut in its middle cannot be told from a whole one, except that JSON then fails.
        if !line.is_empty() {
            self.line(line, events);
        }
        self.line("", events);
    }

    fn line_end(&self) -> Option<usize> {
        self.buffer[self.searched..]
            .iter()
            .position(|b| matches!(b, b'\n' | b'\r'))
            .map(|at| self.searched + at)
    }

    fn line(&mut self, line: &str, events: &mut Vec<SseEvent>) {
        if line.is_empty() {
            let event = std::mem::take(&mut self.event);
            if std::mem::take(&mut self.has_data) {
                events.push(SseEvent {
                    event,
                    data: std::mem::take(&mut self.data),
                });
            }
            return;
        }
        let (field, value) = line.split_once(':').unwrap_or((line, ""));
        let value = value.strip_prefix(' ').unwrap_or(value);
        match field {
            "event" => value.clone_into(&mut self.event),
            "data" => {
                if self.has_data {
                    self.data.push('\n');
                }
                self.has_data = true;
                self.data.push_str(value);
            }
            // Comments (empty name), ids and retry times mean nothing here.
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(pieces: &[&[u8]]) -> Vec<SseEvent> {
        let mut sse = Sse::default();
        let mut events = Vec::new();
        for piece in pieces {
            sse.push(piece, &mut events).unwrap();
        }
        sse.finish(&mut events);
        events
    }

    fn event(event: &str, data: &str) -> SseEvent {
        SseEvent {
            event: event.to_owned(),
            data: data.to_owned(),
        }
    }

    #[test]
    fn any_split_gives_the_same_events() {
        let body = "\u{feff}: hi\r\nevent: a\r\ndata: {\"x\":\"ü\"}\r\n\r\ndata:1\ndata: 2\n\nevent: none\n\ndata: last"
            .as_bytes();
        let expected = vec![
            event("a", "{\"x\":\"ü\"}"),
            event("", "1\n2"),
            event("", "last"),
        ];
        for at in 0..body.len() {
            assert_eq!(read(&[&body[..at], &body[at..]]), expected, "split at {at}");
        }
        let single: Vec<&[u8]> = body.chunks(1).collect();
        assert_eq!(read(&single), expected);
    }

    #[test]
    fn a_long_line_in_pieces_is_searched_once() {
        let mut sse = Sse::default();
        let mut events = Vec::new();
        sse.push(b"data: 1\ndata: ", &mut events).unwrap();
        for _ in 0..100 {
            sse.push(b"x", &mut events).unwrap();
            assert_eq!(sse.searched, sse.buffer.len());
        }
        // All but what may be half of an end of line.
        sse.push(b"\r", &mut events).unwrap();
        assert_eq!(sse.searched, sse.buffer.len() - 1);
        sse.push(b"\n\r\n", &mut events).unwrap();
        assert_eq!((sse.searched, sse.buffer.len()), (0, 0));
        assert_eq!(events, [event("", &format!("1\n{}", "x".repeat(100)))]);
    }

    #[test]
    fn invalid_utf8_is_replaced() {
        assert_eq!(read(&[b"data: \xff\n\n"]), vec![event("", "\u{fffd}")]);
    }

    #[test]
    fn an_endless_line_is_refused() {
        let mut sse = Sse::default();
        let mut events = Vec::new();
        let piece = vec![b'x'; 1 << 20];
        let refused = (0..64).any(|_| sse.push(&piece, &mut events).is_err());
        assert!(refused);
    }
}
