//! A strict reading of JSON: one pass, bounded, and refusing whatever two readers could read differently.
//!
//! RFC 8259 leaves duplicate member names, numbers beyond the double and unpaired surrogates to the reader;
//! readers differ, and a gateway that decides on one reading while the server acts on another decides
//! nothing. So all of them are refused, together with everything RFC 8259 itself forbids.

use crate::limits::Limits;
use crate::raw::Raw;

/// Reads `bytes` as one JSON text and returns it as text known to be strict, without copying.
///
/// Errors: [`StrictError`] with the byte offset and the path of the first fault.
pub fn check<'a>(bytes: &'a [u8], limits: &Limits) -> Result<Raw<'a>, StrictError> {
    if bytes.len() > limits.message_bytes_max {
        let fault = StrictFault::TooLong { bytes: bytes.len(), bytes_max: limits.message_bytes_max };
        return Err(StrictError { fault, offset: limits.message_bytes_max, path: "$".into() });
    }
    let text = std::str::from_utf8(bytes).map_err(|e| StrictError {
        fault: StrictFault::NotUtf8,
        offset: e.valid_up_to(),
        path: "$".into(),
    })?;
    let mut scan = Scan::new(text, limits);
    match scan.document() {
        Ok(()) => Ok(Raw::trusted(text)),
        Err(fault) => Err(scan.located(fault)),
    }
}

/// Reads `bytes` strictly into a value.
///
/// Errors: as [`check`]; a text that passes it always has a value as long as `depth_max` is at most 120.
pub fn parse(bytes: &[u8], limits: &Limits) -> Result<serde_json::Value, StrictError> {
    check(bytes, limits)?.to_value().map_err(|e| StrictError {
        fault: StrictFault::Unreadable(e.to_string()),
        offset: 0,
        path: "$".into(),
    })
}

/// What is wrong with a JSON text, and where.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{fault} at byte {offset} (`{path}`)")]
pub struct StrictError {
    /// The fault itself.
    pub fault: StrictFault,
    /// Offset of the first byte that is at fault, counted from 0.
    pub offset: usize,
    /// Where in the document, in the notation of RFC 9535 (`$.params.arguments[2]`), cut to 256 bytes.
    pub path: String,
}

/// The kinds of fault. Member names are quoted cut to 64 bytes; values never are, they may be secret.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum StrictFault {
    /// Longer than `message_bytes_max`.
    #[error("the message has {bytes} bytes but at most {bytes_max} are accepted; send less in one message")]
    TooLong { bytes: usize, bytes_max: usize },
    /// Not UTF-8 (RFC 8259 section 8.1).
    #[error("the message is not utf-8; encode it as utf-8")]
    NotUtf8,
    /// Nested deeper than `depth_max`.
    #[error("nested deeper than {depth_max} levels; flatten the value")]
    TooDeep { depth_max: usize },
    /// One object or array has more than `members_max` entries.
    #[error("more than {members_max} members or elements in one value; send fewer")]
    TooManyMembers { members_max: usize },
    /// More than `values_max` values altogether.
    #[error("more than {values_max} values in one message; send fewer")]
    TooManyValues { values_max: usize },
    /// The same member name twice in one object, compared after unescaping (RFC 8259 section 4).
    #[error("the member name `{key}` appears twice; readers disagree on which counts, send it once")]
    DuplicateKey { key: String },
    /// An integer that neither a signed nor an unsigned 64-bit integer holds.
    #[error("an integer that does not fit 64 bits; send it as a string")]
    IntegerTooLarge,
    /// A number that no double holds.
    #[error("a number beyond the range of a double; send it as a string")]
    NumberTooLarge,
    /// Digits that do not form a number (RFC 8259 section 6).
    #[error("not a number as json writes it")]
    BadNumber,
    /// `\ud800` and its like without their other half (RFC 8259 section 8.2).
    #[error("half of a surrogate pair; escape the whole character or write it as utf-8")]
    LoneSurrogate,
    /// An escape that RFC 8259 section 7 does not have.
    #[error("an escape that json does not have")]
    BadEscape,
    /// A control character in a string (RFC 8259 section 7).
    #[error("an unescaped control character in a string; escape it")]
    ControlCharacter,
    /// Something else was expected here.
    #[error("unexpected {found}, expected {expected}")]
    Unexpected { found: String, expected: &'static str },
    /// The text ends too early.
    #[error("the message ends too early, expected {expected}")]
    Ended { expected: &'static str },
    /// Bytes after the document.
    #[error("something follows the end of the message; send one message at a time")]
    Trailing,
    /// The value reader refused what this scan accepted (only with a `depth_max` above 120).
    #[error("the value reader refused the message: {0}")]
    Unreadable(String),
}

/// Objects with more members than this are compared by sorting, the others pairwise.
const PAIRWISE_MEMBERS_MAX: usize = 16;
const PATH_BYTES_MAX: usize = 256;
const KEY_SHOWN_BYTES_MAX: usize = 64;

struct Scan<'a> {
    text: &'a str,
    bytes: &'a [u8],
    pos: usize,
    limits: &'a Limits,
    values: usize,
    frames: Vec<Frame>,
    /// Member names of all open objects, innermost last.
    keys: Vec<Key>,
    /// Names that had escapes, unescaped.
    unescaped: String,
}

#[derive(Clone, Copy)]
struct Frame {
    is_object: bool,
    members: usize,
    keys_start: usize,
    unescaped_start: usize,
}

#[derive(Clone, Copy)]
struct Key {
    start: usize,
    end: usize,
    in_unescaped: bool,
    /// First eight bytes, so that most pairs differ without looking at the text.
    head: u64,
    /// Where the name stands in the text.
    offset: usize,
}

impl<'a> Scan<'a> {
    fn new(text: &'a str, limits: &'a Limits) -> Scan<'a> {
        Scan {
            text,
            bytes: text.as_bytes(),
            pos: 0,
            limits,
            values: 0,
            frames: Vec::with_capacity(8),
            keys: Vec::with_capacity(32),
            unescaped: String::new(),
        }
    }

    fn document(&mut self) -> Result<(), StrictFault> {
        loop {
            if self.value()? {
                continue;
            }
            if !self.after_value()? {
                break;
            }
        }
        self.whitespace();
        if self.pos < self.bytes.len() { Err(StrictFault::Trailing) } else { Ok(()) }
    }

    /// Reads a scalar, or opens a container. True: a container was opened and its first value comes next.
    fn value(&mut self) -> Result<bool, StrictFault> {
        const EXPECTED: &str = "a value";
        self.whitespace();
        self.values += 1;
        if self.values > self.limits.values_max {
            return Err(StrictFault::TooManyValues { values_max: self.limits.values_max });
        }
        match self.peek() {
            Some(b'"') => self.string().map(|_| false),
            Some(b'{') => self.open(true),
            Some(b'[') => self.open(false),
            Some(b'-' | b'0'..=b'9') => self.number().map(|()| false),
            Some(b't') => self.literal("true"),
            Some(b'f') => self.literal("false"),
            Some(b'n') => self.literal("null"),
            _ => Err(self.unexpected(EXPECTED)),
        }
    }

    /// Reads what follows a value. True: another value comes next. False: the document is complete.
    fn after_value(&mut self) -> Result<bool, StrictFault> {
        loop {
            let Some(frame) = self.frames.last().copied() else { return Ok(false) };
            self.whitespace();
            match (self.peek(), frame.is_object) {
                (Some(b','), true) => {
                    self.pos += 1;
                    self.key()?;
                    return Ok(true);
                }
                (Some(b','), false) => {
                    self.pos += 1;
                    self.count_member()?;
                    return Ok(true);
                }
                (Some(b'}'), true) | (Some(b']'), false) => self.close()?,
                (_, true) => return Err(self.unexpected("`,` or `}`")),
                (_, false) => return Err(self.unexpected("`,` or `]`")),
            }
        }
    }

    fn open(&mut self, is_object: bool) -> Result<bool, StrictFault> {
        if self.frames.len() >= self.limits.depth_max {
            return Err(StrictFault::TooDeep { depth_max: self.limits.depth_max });
        }
        self.pos += 1;
        self.frames.push(Frame {
            is_object,
            members: 0,
            keys_start: self.keys.len(),
            unescaped_start: self.unescaped.len(),
        });
        self.whitespace();
        match (self.peek(), is_object) {
            (Some(b'}'), true) | (Some(b']'), false) => self.close().map(|()| false),
            (_, true) => self.key().map(|()| true),
            (_, false) => self.count_member().map(|()| true),
        }
    }

    fn close(&mut self) -> Result<(), StrictFault> {
        self.pos += 1;
        if let Some(frame) = self.frames.last().copied() {
            if frame.is_object && frame.members > PAIRWISE_MEMBERS_MAX {
                self.distinct_by_sorting(frame.keys_start)?;
            }
            self.frames.pop();
            self.keys.truncate(frame.keys_start);
            self.unescaped.truncate(frame.unescaped_start);
        }
        Ok(())
    }

    fn count_member(&mut self) -> Result<(), StrictFault> {
        let members_max = self.limits.members_max;
        if let Some(frame) = self.frames.last_mut() {
            frame.members += 1;
            if frame.members > members_max {
                return Err(StrictFault::TooManyMembers { members_max });
            }
        }
        Ok(())
    }

    /// Reads `"name":` and checks the name against the names of its object so far.
    fn key(&mut self) -> Result<(), StrictFault> {
        self.whitespace();
        if self.peek() != Some(b'"') {
            return Err(self.unexpected("a member name in double quotes"));
        }
        let offset = self.pos;
        let escaped = self.string()?;
        let key = self.key_at(offset, escaped);
        self.distinct_pairwise(&key)?;
        self.keys.push(key);
        self.count_member()?;
        self.whitespace();
        if self.peek() != Some(b':') {
            return Err(self.unexpected("`:`"));
        }
        self.pos += 1;
        Ok(())
    }

    /// The key whose string, quotes included, spans from `offset` to the current position.
    fn key_at(&mut self, offset: usize, escaped: bool) -> Key {
        let (start, end) = (offset + 1, self.pos - 1);
        let (start, end, in_unescaped) = if escaped {
            let from = self.unescaped.len();
            let quoted = self.text.get(offset..self.pos).unwrap_or_default();
            // The string was scanned a moment ago, so it reads; an empty name would only be compared, never
            // shown as found.
            self.unescaped.push_str(&serde_json::from_str::<String>(quoted).unwrap_or_default());
            (from, self.unescaped.len(), true)
        } else {
            (start, end, false)
        };
        let mut key = Key { start, end, in_unescaped, head: 0, offset };
        key.head = head(self.name(&key).as_bytes());
        key
    }

    fn name(&self, key: &Key) -> &str {
        let text = if key.in_unescaped { self.unescaped.as_str() } else { self.text };
        text.get(key.start..key.end).unwrap_or_default()
    }

    fn distinct_pairwise(&mut self, key: &Key) -> Result<(), StrictFault> {
        let Some(frame) = self.frames.last() else { return Ok(()) };
        if frame.members >= PAIRWISE_MEMBERS_MAX {
            return Ok(());
        }
        let earlier = self.keys.get(frame.keys_start..).unwrap_or_default();
        let len = key.end - key.start;
        let twin = earlier
            .iter()
            .any(|k| k.head == key.head && k.end - k.start == len && self.name(k) == self.name(key));
        if twin { Err(self.duplicate(*key)) } else { Ok(()) }
    }

    /// Sorting instead of hashing: no random state, and no input makes it slow.
    fn distinct_by_sorting(&mut self, keys_start: usize) -> Result<(), StrictFault> {
        let mut keys: Vec<Key> = self.keys.get(keys_start..).unwrap_or_default().to_vec();
        keys.sort_unstable_by(|a, b| self.name(a).cmp(self.name(b)).then(a.offset.cmp(&b.offset)));
        let twin = keys.windows(2).find_map(|pair| match pair {
            [a, b] if self.name(a) == self.name(b) => Some(*b),
            _ => None,
        });
        twin.map_or(Ok(()), |key| Err(self.duplicate(key)))
    }

    fn duplicate(&mut self, key: Key) -> StrictFault {
        self.pos = key.offset;
        // So that the path names this member and not the one before it.
        self.keys.push(key);
        StrictFault::DuplicateKey { key: shortened(self.name(&key), KEY_SHOWN_BYTES_MAX) }
    }

    /// Reads a string. True: it has escapes.
    fn string(&mut self) -> Result<bool, StrictFault> {
        self.pos += 1;
        let mut escaped = false;
        loop {
            self.plain_run();
            match self.peek() {
                Some(b'"') => {
                    self.pos += 1;
                    return Ok(escaped);
                }
                Some(b'\\') => {
                    escaped = true;
                    self.escape()?;
                }
                Some(_) => return Err(StrictFault::ControlCharacter),
                None => return Err(StrictFault::Ended { expected: "`\"`" }),
            }
        }
    }

    /// Moves to the next quote, backslash or control character, eight bytes at a time.
    fn plain_run(&mut self) {
        let rest = self.bytes.get(self.pos..).unwrap_or_default();
        let mut chunks = rest.chunks_exact(8);
        let mut run = 0;
        for chunk in &mut chunks {
            let word = chunk.try_into().map_or(0, u64::from_le_bytes);
            let stops = stops(word);
            if stops != 0 {
                self.pos += run + (stops.trailing_zeros() / 8) as usize;
                return;
            }
            run += 8;
        }
        let tail = chunks.remainder();
        run += tail.iter().position(|b| matches!(b, b'"' | b'\\' | 0..=0x1f)).unwrap_or(tail.len());
        self.pos += run;
    }

    fn escape(&mut self) -> Result<(), StrictFault> {
        match self.bytes.get(self.pos + 1) {
            Some(b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't') => {
                self.pos += 2;
                Ok(())
            }
            Some(b'u') => self.unicode_escape(),
            Some(_) => Err(StrictFault::BadEscape),
            None => Err(StrictFault::Ended { expected: "an escape" }),
        }
    }

    fn unicode_escape(&mut self) -> Result<(), StrictFault> {
        match self.hex4(self.pos + 2)? {
            0xd800..=0xdbff => {
                let paired = self.bytes.get(self.pos + 6..self.pos + 8) == Some(b"\\u".as_slice())
                    && matches!(self.hex4(self.pos + 8), Ok(0xdc00..=0xdfff));
                if !paired {
                    return Err(StrictFault::LoneSurrogate);
                }
                self.pos += 12;
            }
            0xdc00..=0xdfff => return Err(StrictFault::LoneSurrogate),
            _ => self.pos += 6,
        }
        Ok(())
    }

    fn hex4(&self, at: usize) -> Result<u32, StrictFault> {
        let digits = self.bytes.get(at..at + 4).ok_or(StrictFault::Ended { expected: "four hex digits" })?;
        digits.iter().try_fold(0, |sum, b| {
            char::from(*b).to_digit(16).map(|d| sum * 16 + d).ok_or(StrictFault::BadEscape)
        })
    }

    fn number(&mut self) -> Result<(), StrictFault> {
        let start = self.pos;
        let read = self.number_from(start);
        if read.is_err() {
            self.pos = start;
        }
        read
    }

    fn number_from(&mut self, start: usize) -> Result<(), StrictFault> {
        let negative = self.peek() == Some(b'-');
        self.pos += usize::from(negative);
        let leading_zero = self.peek() == Some(b'0');
        let digits = self.digits();
        if digits == 0 || (leading_zero && digits > 1) {
            return Err(StrictFault::BadNumber);
        }
        let fraction = self.peek() == Some(b'.');
        if fraction {
            self.pos += 1;
            self.some_digits()?;
        }
        let exponent = matches!(self.peek(), Some(b'e' | b'E'));
        if exponent {
            self.pos += 1;
            self.pos += usize::from(matches!(self.peek(), Some(b'+' | b'-')));
            self.some_digits()?;
        }
        let literal = self.text.get(start..self.pos).unwrap_or_default();
        if fraction || exponent {
            let finite = literal.parse::<f64>().is_ok_and(f64::is_finite);
            return if finite { Ok(()) } else { Err(StrictFault::NumberTooLarge) };
        }
        // Up to 18 digits fit either sign.
        let fits = digits <= 18
            || if negative { literal.parse::<i64>().is_ok() } else { literal.parse::<u64>().is_ok() };
        if fits { Ok(()) } else { Err(StrictFault::IntegerTooLarge) }
    }

    fn some_digits(&mut self) -> Result<(), StrictFault> {
        if self.digits() == 0 { Err(StrictFault::BadNumber) } else { Ok(()) }
    }

    fn digits(&mut self) -> usize {
        let start = self.pos;
        while matches!(self.peek(), Some(b'0'..=b'9')) {
            self.pos += 1;
        }
        self.pos - start
    }

    fn literal(&mut self, word: &'static str) -> Result<bool, StrictFault> {
        if self.bytes.get(self.pos..self.pos + word.len()) == Some(word.as_bytes()) {
            self.pos += word.len();
            return Ok(false);
        }
        Err(self.unexpected("a value"))
    }

    fn whitespace(&mut self) {
        while matches!(self.peek(), Some(b' ' | b'\n' | b'\r' | b'\t')) {
            self.pos += 1;
        }
    }

    fn peek(&self) -> Option<u8> {
        self.bytes.get(self.pos).copied()
    }

    fn unexpected(&self, expected: &'static str) -> StrictFault {
        match self.text.get(self.pos..).and_then(|rest| rest.chars().next()) {
            Some(found) => StrictFault::Unexpected { found: format!("{found:?}"), expected },
            None => StrictFault::Ended { expected },
        }
    }

    fn located(&self, fault: StrictFault) -> StrictError {
        let mut path = String::from("$");
        for (i, frame) in self.frames.iter().enumerate() {
            let keys_end = self.frames.get(i + 1).map_or(self.keys.len(), |inner| inner.keys_start);
            if !frame.is_object {
                path.push_str(&format!("[{}]", frame.members.saturating_sub(1)));
            } else if let Some(key) = keys_end.checked_sub(1).filter(|k| *k >= frame.keys_start) {
                path.push('.');
                path.push_str(self.keys.get(key).map(|k| self.name(k)).unwrap_or_default());
            }
            if path.len() > PATH_BYTES_MAX {
                break;
            }
        }
        StrictError { fault, offset: self.pos, path: shortened(&path, PATH_BYTES_MAX) }
    }
}

/// A word with the high bit set in the lowest byte that is `"`, `\` or below 0x20; higher bytes may be set
/// wrongly.
fn stops(word: u64) -> u64 {
    const ONES: u64 = 0x0101_0101_0101_0101;
    const HIGHS: u64 = 0x8080_8080_8080_8080;
    let zero_bytes = |w: u64| w.wrapping_sub(ONES) & !w;
    let quote = zero_bytes(word ^ (ONES * 0x22));
    let backslash = zero_bytes(word ^ (ONES * 0x5c));
    let control = word.wrapping_sub(ONES * 0x20) & !word;
    (quote | backslash | control) & HIGHS
}

fn head(name: &[u8]) -> u64 {
    name.iter().take(8).fold(0, |sum, b| (sum << 8) | u64::from(*b))
}

/// `text` cut to at most `bytes_max` bytes at a character boundary, marked when it was cut.
pub(crate) fn shortened(text: &str, bytes_max: usize) -> String {
    if text.len() <= bytes_max {
        return text.to_owned();
    }
    let cut = (0..=bytes_max).rev().find(|i| text.is_char_boundary(*i)).unwrap_or(0);
    format!("{}…", text.get(..cut).unwrap_or_default())
}

#[cfg(test)]
mod tests;
