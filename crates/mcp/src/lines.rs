//! Newline-delimited JSON as pipes carry it (MCP, stdio: messages are separated by newlines and hold none).

/// Cuts a stream of bytes into lines, whatever the chunks it arrives in. Bounded by `line_bytes_max`.
#[derive(Debug)]
pub struct LineSplitter {
    buffer: Vec<u8>,
    line_bytes_max: usize,
    /// Where the search for the next newline goes on.
    searched: usize,
}

/// A line is longer than accepted. The stream cannot be read further: whoever sent it broke the frame.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "a line is longer than {line_bytes_max} bytes; the process must send shorter messages and is to be ended"
)]
pub struct LineTooLong {
    /// The bound.
    pub line_bytes_max: usize,
}

impl LineSplitter {
    /// A splitter for lines of at most `line_bytes_max` bytes, the newline not counted.
    pub fn new(line_bytes_max: usize) -> LineSplitter {
        LineSplitter { buffer: Vec::new(), line_bytes_max, searched: 0 }
    }

    /// Takes the next bytes.
    pub fn push(&mut self, bytes: &[u8]) {
        self.buffer.extend_from_slice(bytes);
    }

    /// The next whole line without its newline (and without a carriage return before it), `None` until more
    /// bytes come. Empty lines are skipped.
    ///
    /// Errors: [`LineTooLong`]; the splitter gives nothing but this error from then on.
    pub fn next_line(&mut self) -> Result<Option<Vec<u8>>, LineTooLong> {
        loop {
            let rest = self.buffer.get(self.searched..).unwrap_or_default();
            let Some(found) = rest.iter().position(|b| *b == b'\n') else {
                self.searched = self.buffer.len();
                return if self.buffer.len() > self.line_bytes_max + 1 {
                    Err(self.too_long())
                } else {
                    Ok(None)
                };
            };
            let end = self.searched + found;
            let mut line: Vec<u8> = self.buffer.drain(..=end).collect();
            self.searched = 0;
            line.pop();
            if line.last() == Some(&b'\r') {
                line.pop();
            }
            if line.len() > self.line_bytes_max {
                // Keep the fault: what follows an oversized line is not to be trusted either.
                self.buffer = vec![b' '; self.line_bytes_max + 2];
                self.searched = self.buffer.len();
                return Err(self.too_long());
            }
            if !line.is_empty() {
                return Ok(Some(line));
            }
        }
    }

    /// Bytes at the end of the stream that no newline ended; they are no message.
    pub fn pending_bytes(&self) -> usize {
        self.buffer.len()
    }

    fn too_long(&self) -> LineTooLong {
        LineTooLong { line_bytes_max: self.line_bytes_max }
    }
}

/// One message as a line. Newlines between members, which JSON allows, become spaces; strings cannot hold raw
/// ones.
pub fn write_line(message: &str) -> Vec<u8> {
    let mut line: Vec<u8> =
        message.bytes().map(|b| if matches!(b, b'\n' | b'\r') { b' ' } else { b }).collect();
    line.push(b'\n');
    line
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_come_out_whole_whatever_the_chunks() {
        let stream = b"{\"a\":1}\r\n\n{\"b\":2}\nrest";
        for size in 1..stream.len() {
            let mut splitter = LineSplitter::new(16);
            let mut lines = Vec::new();
            for chunk in stream.chunks(size) {
                splitter.push(chunk);
                while let Some(line) = splitter.next_line().unwrap() {
                    lines.push(line);
                }
            }
            assert_eq!(lines, [b"{\"a\":1}".to_vec(), b"{\"b\":2}".to_vec()]);
            assert_eq!(splitter.pending_bytes(), 4);
        }
    }

    #[test]
    fn a_line_too_long_ends_the_stream() {
        for (stream, fits) in [
            (&b"12345678\n"[..], true),
            (b"12345678\r\n", true),
            (b"123456789\n", false),
            (b"1234567890", false),
        ] {
            let mut splitter = LineSplitter::new(8);
            splitter.push(stream);
            assert_eq!(splitter.next_line().is_ok(), fits, "{stream:?}");
            if !fits {
                splitter.push(b"\nok\n");
                assert!(splitter.next_line().is_err());
            }
        }
    }

    #[test]
    fn a_pretty_printed_message_becomes_one_line() {
        assert_eq!(write_line("{\n\"a\":1\r\n}"), b"{ \"a\":1  }\n");
    }
}
