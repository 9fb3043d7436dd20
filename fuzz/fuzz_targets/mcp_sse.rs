//! Any bytes as an event stream and as lines, in any chunks: no panic, and the chunks do not matter; what was
//! read and is written again reads the same.
#![no_main]

use libfuzzer_sys::fuzz_target;
use provost_mcp::lines::LineSplitter;
use provost_mcp::sse::{Decoder, Frame, SseError};

fn frames(chunks: &[&[u8]]) -> Result<Vec<Frame>, SseError> {
    let mut decoder = Decoder::new(256, 256);
    let mut frames = Vec::new();
    for chunk in chunks {
        frames.extend(decoder.push(chunk)?);
    }
    Ok(frames)
}

fn lines(chunks: &[&[u8]]) -> (Vec<Vec<u8>>, bool) {
    let mut splitter = LineSplitter::new(64);
    let mut lines = Vec::new();
    for chunk in chunks {
        splitter.push(chunk);
        loop {
            match splitter.next_line() {
                Ok(Some(line)) => lines.push(line),
                Ok(None) => break,
                Err(_too_long) => return (lines, true),
            }
        }
    }
    (lines, false)
}

fuzz_target!(|input: (u8, &[u8])| {
    let (size, bytes) = (usize::from(input.0 % 16) + 1, input.1);
    let chunks: Vec<&[u8]> = bytes.chunks(size).collect();
    let whole = frames(&[bytes]);
    assert_eq!(frames(&chunks), whole);
    assert_eq!(lines(&chunks), lines(&[bytes]));
    if let Ok(whole) = whole {
        let written: String = whole.iter().map(Frame::write).collect();
        let mut decoder = Decoder::new(4096, 4096);
        assert_eq!(decoder.push(written.as_bytes()).unwrap(), whole);
    }
});
