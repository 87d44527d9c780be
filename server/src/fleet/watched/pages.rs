//! One page out of rows that are all in memory. The places are counted from the start, since such rows have no number:
//! under change a row may be seen twice or missed between two pages, as with any list that moves.

use app::list::{Cursor, ListQuery, Page, WINDOW};

pub fn page<T>(rows: Vec<T>, query: &ListQuery) -> Page<T> {
    let total = rows.len();
    let size = usize::try_from(query.page_size()).unwrap_or(1);
    let start = match query.cursor {
        Some(Cursor::OlderThan(seen)) => usize::try_from(seen).unwrap_or(usize::MAX).min(total),
        Some(Cursor::NewerThan(seen)) => {
            usize::try_from(seen).unwrap_or(usize::MAX).min(total).saturating_sub(size)
        }
        None => (usize::try_from(query.page()).unwrap_or(1) - 1).saturating_mul(size).min(total),
    };
    let end = start.saturating_add(size).min(total);
    let place = |at: usize| i64::try_from(at).unwrap_or(i64::MAX);
    let counted = place(total).min(WINDOW);
    let by_number = query.cursor.is_none();
    Page {
        items: rows.into_iter().skip(start).take(size).collect(),
        total: counted,
        total_capped: place(total) > WINDOW,
        page: by_number.then(|| query.page()),
        page_size: query.page_size(),
        total_pages: (counted + i64::from(query.page_size()) - 1) / i64::from(query.page_size()),
        next_cursor: (end < total).then(|| Cursor::OlderThan(place(end)).to_string()),
        previous_cursor: (start > 0).then(|| Cursor::NewerThan(place(start)).to_string()),
        searched: None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cursors_lead_through_all_rows_and_back() {
        let rows: Vec<i32> = (0..45).collect();
        let mut query = ListQuery::default();
        query.page_size = Some(20);
        let first = page(rows.clone(), &query);
        assert_eq!((first.items.len(), first.total, first.total_pages), (20, 45, 3));
        assert_eq!(first.previous_cursor, None);
        query = query.at(Cursor::OlderThan(20));
        let second = page(rows.clone(), &query);
        assert_eq!((second.items[0], second.next_cursor.as_deref()), (20, Some("o.40")));
        assert_eq!(second.previous_cursor.as_deref(), Some("n.20"));
        let back = page(rows.clone(), &query.at(Cursor::NewerThan(20)));
        assert_eq!(back.items, first.items);
        let last = page(rows, &query.at(Cursor::OlderThan(40)));
        assert_eq!((last.items.len(), last.next_cursor), (5, None));
    }

    #[test]
    fn beyond_the_end_is_empty() {
        let mut query = ListQuery::default();
        query.page = Some(9);
        let empty = page(vec![1, 2, 3], &query);
        assert!(empty.items.is_empty());
        assert_eq!(empty.total, 3);
    }
}
