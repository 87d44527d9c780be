//! Where in a list the reader is, and the ways on: Newer and Older.

use leptos::prelude::*;

use crate::list::Page;

/// "10,000".
pub fn grouped(number: i64) -> String {
    let digits = number.unsigned_abs().to_string();
    let mut out = String::with_capacity(digits.len() + digits.len() / 3 + 1);
    if number < 0 {
        out.push('−');
    }
    for (i, digit) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

/// "48", or "10,000+" when counting stopped there.
pub fn capped(total: i64, is_capped: bool) -> String {
    format!("{}{}", grouped(total), if is_capped { "+" } else { "" })
}

/// The place in words: "1–20 of 10,000+". Behind a cursor only the number of rows is known.
pub fn place<T>(page: &Page<T>) -> String {
    let rows = i64::try_from(page.items.len()).unwrap_or(i64::MAX);
    let total = capped(page.total, page.total_capped);
    match page.page {
        _ if rows == 0 => format!("none of {total} on this page"),
        Some(number) => {
            let first = (i64::from(number) - 1) * i64::from(page.page_size) + 1;
            format!("{}–{} of {total}", grouped(first), grouped(first + rows - 1))
        }
        None => format!("{} of {total}", grouped(rows)),
    }
}

#[component]
pub fn Pagination(place: String, newer: Option<String>, older: Option<String>) -> impl IntoView {
    view! {
        <nav class="head pages" aria-label="Pages">
            <span class="dim num">{place}</span>
            <div class="actions">{way("Newer", "prev", newer)} {way("Older", "next", older)}</div>
        </nav>
    }
}

fn way(word: &'static str, rel: &'static str, href: Option<String>) -> AnyView {
    match href {
        Some(href) => view! { <a class="btn" rel=rel href=href>{word}</a> }.into_any(),
        // At the end of the list there is nothing to press; the word keeps its place.
        None => view! { <span class="btn off" aria-hidden="true">{word}</span> }.into_any(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn page(rows: usize, total: i64, page: Option<u32>) -> Page<()> {
        Page {
            items: vec![(); rows],
            total,
            total_capped: total == crate::list::WINDOW,
            page,
            page_size: 20,
            total_pages: total / 20,
            next_cursor: None,
            previous_cursor: None,
            searched: None,
        }
    }

    #[test]
    fn the_place_says_what_is_known() {
        assert_eq!(place(&page(20, 10_000, Some(1))), "1–20 of 10,000+");
        assert_eq!(place(&page(3, 43, Some(3))), "41–43 of 43");
        assert_eq!(place(&page(20, 10_000, None)), "20 of 10,000+");
        assert_eq!(place(&page(0, 43, Some(9))), "none of 43 on this page");
    }

    #[test]
    fn figures_are_grouped_by_three() {
        let said: Vec<String> = [0, 7, 999, 1_000, 48_211, 1_000_000, -1_234].map(grouped).to_vec();
        assert_eq!(said, ["0", "7", "999", "1,000", "48,211", "1,000,000", "−1,234"]);
    }
}
