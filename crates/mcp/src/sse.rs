//! Server-sent events: bytes in any chunking -> events, and back (WHATWG HTML, section 9.2.6).

/// One thing an event stream said.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Frame {
    /// An event.
    Event(Event),
    /// A comment line, without its colon. Keep-alives are comments; they are forwarded.
    Comment(String),
}

/// An event as dispatched.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Event {
    /// `id:` of this very event; `None` when it had none.
    pub id: Option<String>,
    /// `event:`; `None` means `message`.
    pub event: Option<String>,
    /// The `data:` lines joined by newlines. Empty for events that only carry an id or a retry, which legacy
    /// servers send to prime a stream for resuming (2025-11-25, Streamable HTTP: Sending Messages).
    pub data: String,
    /// `retry:` in milliseconds.
    pub retry_ms: Option<u64>,
}

/// Why a stream cannot be read further.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SseError {
    /// A line is longer than accepted.
    #[error(
        "a line of the event stream is longer than {line_bytes_max} bytes; the server must send smaller messages"
    )]
    LineTooLong { line_bytes_max: usize },
    /// The data of one event is longer than accepted.
    #[error("an event has more than {event_bytes_max} bytes of data; the server must send smaller messages")]
    EventTooLong { event_bytes_max: usize },
    /// A line is not UTF-8.
    #[error("a line of the event stream is not utf-8")]
    NotUtf8,
}

/// Reads an event stream. After an error it gives nothing but that error.
#[derive(Debug)]
pub struct Decoder {
    line_bytes_max: usize,
    event_bytes_max: usize,
    buffer: Vec<u8>,
    searched: usize,
    /// The last line ended in a carriage return: a line feed that follows belongs to it.
    after_cr: bool,
    started: bool,
    pending: Event,
    has_data: bool,
    fault: Option<SseError>,
}

impl Decoder {
    /// A decoder with these bounds ([`crate::Limits::sse_line_bytes_max`],
    /// [`crate::Limits::sse_event_bytes_max`]).
    pub fn new(line_bytes_max: usize, event_bytes_max: usize) -> Decoder {
        Decoder {
            line_bytes_max,
            event_bytes_max,
            buffer: Vec::new(),
            searched: 0,
            after_cr: false,
            started: false,
            pending: Event::default(),
            has_data: false,
            fault: None,
        }
    }

    /// Takes the next bytes and returns what they completed. An event not ended by an empty line when the
    /// stream ends is no event.
    ///
    /// Errors: [`SseError`]; what the same bytes completed before the fault is lost with the stream.
    pub fn push(&mut self, bytes: &[u8]) -> Result<Vec<Frame>, SseError> {
        if let Some(fault) = &self.fault {
            return Err(fault.clone());
        }
        self.buffer.extend_from_slice(bytes);
        self.drain().inspect_err(|fault| {
            self.fault = Some(fault.clone());
            self.buffer = Vec::new();
        })
    }

    fn drain(&mut self) -> Result<Vec<Frame>, SseError> {
        let buffer = std::mem::take(&mut self.buffer);
        let mut frames = Vec::new();
        let mut start = 0;
        let mut search = self.searched;
        while let Some(found) =
            buffer.get(search..).and_then(|rest| rest.iter().position(|b| matches!(b, b'\n' | b'\r')))
        {
            let end = search + found;
            let is_cr = buffer.get(end) == Some(&b'\r');
            let joined = self.after_cr && !is_cr && end == start;
            let line = buffer.get(start..end).unwrap_or_default();
            start = end + 1;
            search = start;
            self.after_cr = is_cr;
            if joined {
                continue;
            }
            frames.extend(self.line(line)?);
        }
        let rest = buffer.get(start..).unwrap_or_default();
        if !rest.is_empty() {
            self.after_cr = false;
        }
        if rest.len() > self.line_bytes_max {
            return Err(SseError::LineTooLong { line_bytes_max: self.line_bytes_max });
        }
        self.searched = rest.len();
        self.buffer = rest.to_vec();
        Ok(frames)
    }

    fn line(&mut self, line: &[u8]) -> Result<Option<Frame>, SseError> {
        if line.len() > self.line_bytes_max {
            return Err(SseError::LineTooLong { line_bytes_max: self.line_bytes_max });
        }
        let mut line = std::str::from_utf8(line).map_err(|_| SseError::NotUtf8)?;
        if !self.started {
            self.started = true;
            line = line.strip_prefix('\u{feff}').unwrap_or(line);
        }
        if line.is_empty() {
            return Ok(self.dispatch());
        }
        let (field, value) = line.split_once(':').unwrap_or((line, ""));
        let spaced = value;
        let value = value.strip_prefix(' ').unwrap_or(value);
        match field {
            "" if line.starts_with(':') => return Ok(Some(Frame::Comment(spaced.to_owned()))),
            "data" => self.data(value)?,
            "event" => self.pending.event = Some(value.to_owned()),
            "id" if !value.contains('\0') => self.pending.id = Some(value.to_owned()),
            "retry" if !value.is_empty() && value.bytes().all(|b| b.is_ascii_digit()) => {
                self.pending.retry_ms = value.parse().ok();
            }
            // Other fields are ignored, as the standard says.
            _ => {}
        }
        Ok(None)
    }

    fn data(&mut self, value: &str) -> Result<(), SseError> {
        let data = &mut self.pending.data;
        if data.len() + value.len() + 1 > self.event_bytes_max.saturating_add(1) {
            return Err(SseError::EventTooLong { event_bytes_max: self.event_bytes_max });
        }
        if self.has_data {
            data.push('\n');
        }
        data.push_str(value);
        self.has_data = true;
        Ok(())
    }

    fn dispatch(&mut self) -> Option<Frame> {
        self.has_data = false;
        let event = std::mem::take(&mut self.pending);
        let says_something = !event.data.is_empty() || event.id.is_some() || event.retry_ms.is_some();
        says_something.then_some(Frame::Event(event))
    }
}

impl Frame {
    /// The frame's bytes. Line breaks inside an id, event name or comment, which no decoder gives, are
    /// dropped.
    pub fn write(&self) -> String {
        match self {
            Frame::Comment(text) => format!(":{}\n", one_line(text)),
            Frame::Event(event) => event.write(),
        }
    }
}

impl Event {
    /// An event that carries one message.
    pub fn message(data: impl Into<String>) -> Event {
        Event { data: data.into(), ..Event::default() }
    }

    /// The event's bytes, its empty line included.
    pub fn write(&self) -> String {
        let mut out = String::with_capacity(self.data.len() + 64);
        let mut field = |name: &str, value: &str| {
            out.push_str(name);
            out.push_str(": ");
            out.push_str(value);
            out.push('\n');
        };
        if let Some(id) = &self.id {
            field("id", &one_line(id));
        }
        if let Some(event) = &self.event {
            field("event", &one_line(event));
        }
        if let Some(retry_ms) = self.retry_ms {
            field("retry", &retry_ms.to_string());
        }
        if !self.data.is_empty() || (self.id.is_none() && self.retry_ms.is_none()) {
            // A carriage return ends a line too; between the tokens of JSON either may stand.
            for line in self.data.replace("\r\n", "\n").replace('\r', "\n").split('\n') {
                field("data", line);
            }
        }
        out.push('\n');
        out
    }
}

/// A comment that keeps an idle stream open.
pub const KEEP_ALIVE: &str = ": keep-alive\n\n";

fn one_line(text: &str) -> String {
    text.chars().filter(|c| !matches!(c, '\n' | '\r')).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn decode(stream: &[u8], size: usize) -> Result<Vec<Frame>, SseError> {
        let mut decoder = Decoder::new(64, 64);
        let mut frames = Vec::new();
        for chunk in stream.chunks(size) {
            frames.extend(decoder.push(chunk)?);
        }
        Ok(frames)
    }

    fn event(id: Option<&str>, event: Option<&str>, data: &str, retry_ms: Option<u64>) -> Frame {
        Frame::Event(Event {
            id: id.map(Into::into),
            event: event.map(Into::into),
            data: data.into(),
            retry_ms,
        })
    }

    /// WHATWG HTML 9.2.6, with its own examples.
    #[test]
    fn streams_read_as_the_standard_says() {
        let rows: [(&str, Vec<Frame>); 14] = [
            ("data: a\n\n", vec![event(None, None, "a", None)]),
            ("data:a\r\n\r\n", vec![event(None, None, "a", None)]),
            ("data: a\r\r", vec![event(None, None, "a", None)]),
            ("\u{feff}data: a\n\n", vec![event(None, None, "a", None)]),
            ("data:  a\n\n", vec![event(None, None, " a", None)]),
            ("data: YHOO\ndata: +2\ndata: 10\n\n", vec![event(None, None, "YHOO\n+2\n10", None)]),
            (
                ": hi\n\ndata: x\nid: 1\n\n",
                vec![Frame::Comment(" hi".into()), event(Some("1"), None, "x", None)],
            ),
            ("id\ndata: x\n\n", vec![event(Some(""), None, "x", None)]),
            ("event: endpoint\ndata: /m\nretry: 30\n\n", vec![event(None, Some("endpoint"), "/m", Some(30))]),
            ("retry: 3x\nweird: 1\ndata: y\n\n", vec![event(None, None, "y", None)]),
            ("id: 7\ndata:\n\n", vec![event(Some("7"), None, "", None)]),
            ("event: only\n\n", vec![]),
            ("data\n\ndata\ndata\n\ndata:", vec![event(None, None, "\n", None)]),
            ("data: é€\n\ndata: unfinished", vec![event(None, None, "é€", None)]),
        ];
        for (stream, expected) in rows {
            for size in 1..=stream.len() {
                assert_eq!(decode(stream.as_bytes(), size).as_ref(), Ok(&expected), "{stream:?} by {size}");
            }
        }
    }

    #[test]
    fn lines_and_events_are_bounded() {
        let long_line = format!("data: {}\n\n", "x".repeat(64));
        let open_line = "x".repeat(65);
        let long_event = format!("data: {0}\ndata: {0}\n\n", "x".repeat(40));
        let line = SseError::LineTooLong { line_bytes_max: 64 };
        let event = SseError::EventTooLong { event_bytes_max: 64 };
        for (stream, expected) in [(long_line, line.clone()), (open_line, line), (long_event, event)] {
            for size in [1, 7, stream.len()] {
                assert_eq!(decode(stream.as_bytes(), size), Err(expected.clone()));
            }
        }
        let mut decoder = Decoder::new(8, 8);
        assert_eq!(decoder.push(b"data: \xff\n\n"), Err(SseError::NotUtf8));
        assert_eq!(decoder.push(b"data: a\n\n"), Err(SseError::NotUtf8));
    }

    #[test]
    fn what_is_written_reads_back() {
        let frames = [
            event(Some("1"), Some("message"), "{\"a\":\n1}", Some(5)),
            event(Some("2"), None, "", None),
            Frame::Comment(" ping".into()),
            Frame::Event(Event::message("{}")),
        ];
        let stream: String = frames.iter().map(Frame::write).collect();
        assert_eq!(decode(stream.as_bytes(), 3).unwrap(), frames);
        assert_eq!(Event { id: Some("a\nb".into()), ..Event::default() }.write(), "id: ab\n\n");
    }
}
