//! Cutting a listing into pages. A cursor is the key of the last item shown, so that rows that come and go meanwhile
//! neither repeat nor hide others.

use crate::ControlError;
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use provost_api::Page;

/// One page of `rows`, which are sorted here by their key.
pub(crate) fn page<K: AsRef<str>, R, T>(
    mut rows: Vec<(K, R)>,
    cursor: Option<&str>,
    limit: Option<usize>,
    most: usize,
    show: impl Fn(R) -> T,
) -> Result<Page<T>, ControlError> {
    let after = cursor.map(decode).transpose()?;
    let limit = limit.unwrap_or(most).clamp(1, most.max(1));
    if let Some(after) = after {
        rows.retain(|(key, _)| key.as_ref() > after.as_str());
    }
    // Of very many, only those of this page are put in order, and the one that says that there are more.
    if rows.len() > limit.saturating_add(1) {
        rows.select_nth_unstable_by(limit, |a, b| a.0.as_ref().cmp(b.0.as_ref()));
        rows.truncate(limit.saturating_add(1));
    }
    rows.sort_by(|a, b| a.0.as_ref().cmp(b.0.as_ref()));
    let mut rows = rows.into_iter();
    let mut items = Vec::new();
    let mut last = String::new();
    for (key, row) in rows.by_ref().take(limit) {
        items.push(show(row));
        key.as_ref().clone_into(&mut last);
    }
    Ok(Page { items, next: rows.next().map(|_more| URL_SAFE_NO_PAD.encode(last)) })
}

/// The key that a cursor says.
pub(crate) fn decode(cursor: &str) -> Result<String, ControlError> {
    let bytes = URL_SAFE_NO_PAD.decode(cursor).ok().and_then(|bytes| String::from_utf8(bytes).ok());
    bytes.ok_or_else(|| {
        ControlError::caller("`cursor` is not one of ours").cure("take it from `next` of the page before")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pages_follow_each_other_without_repeating_or_hiding() {
        let rows =
            |names: &[&str]| names.iter().map(|n| ((*n).to_owned(), (*n).to_owned())).collect::<Vec<_>>();
        let first = page(rows(&["d", "b", "a"]), None, Some(2), 10, |r| r).unwrap();
        assert_eq!(first.items, ["a", "b"]);
        // `b` went and `c` came meanwhile.
        let next = page(rows(&["a", "c", "d"]), first.next.as_deref(), Some(2), 10, |r| r).unwrap();
        assert_eq!((next.items, next.next), (vec!["c".to_owned(), "d".to_owned()], None));
        assert!(page(rows(&["a"]), Some("%%"), None, 10, |r| r).is_err());
        assert_eq!(page(rows(&["a", "b"]), None, Some(0), 10, |r| r).unwrap().items.len(), 1);
    }

    #[test]
    fn of_very_many_the_first_come_in_order_and_all_come_once() {
        let all: Vec<(String, u32)> = (0..997_u32).map(|n| (format!("{:04}", n * 389 % 997), n)).collect();
        let (mut found, mut cursor): (Vec<String>, _) = (Vec::new(), None);
        loop {
            let rows = all.iter().map(|(key, _)| (key.clone(), key.clone())).collect();
            let next = page(rows, cursor.as_deref(), Some(50), 500, |key| key).unwrap();
            found.extend(next.items);
            cursor = next.next;
            if cursor.is_none() {
                break;
            }
        }
        assert_eq!(found, (0..997).map(|n| format!("{n:04}")).collect::<Vec<_>>());
    }
}
