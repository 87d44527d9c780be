//! Markdown that people wrote, drawn as elements: the one renderer of the console. No element comes from the
//! text itself: raw HTML is shown as text, links lead to pages and mail alone, and nothing is loaded.
//!
//! Must not know what a link of our own means: its page hands that in as [`OwnLinks`].

use std::collections::BTreeMap;

use leptos::prelude::*;
use pulldown_cmark::{CodeBlockKind, Event, HeadingLevel, Options, Parser, Tag};

use crate::paths;

/// Elements within each other; what is deeper is drawn as plain text.
const DEPTH_MAX: usize = 24;

/// Links that name a thing of ours, such as `operation:system.self_check`.
#[derive(Clone, Debug, Default)]
pub struct OwnLinks {
    /// Without its colon, in lower case.
    pub scheme: &'static str,
    /// From the name to our address.
    pub hrefs: BTreeMap<String, String>,
    /// Said behind a name that is not there.
    pub unknown: &'static str,
}

#[component]
pub fn Markdown(text: String, #[prop(optional)] own: OwnLinks) -> impl IntoView {
    let options =
        Options::ENABLE_TABLES | Options::ENABLE_TASKLISTS | Options::ENABLE_STRIKETHROUGH;
    let mut drawing = Drawing { events: Parser::new_ext(&text, options), own: &own };
    let drawn = drawing.children(Place::default());
    view! { <div class="prose">{drawn}</div> }
}

struct Drawing<'a> {
    events: Parser<'a>,
    own: &'a OwnLinks,
}

/// Where in the text the next element stands.
#[derive(Clone, Copy, Default)]
struct Place {
    depth: usize,
    /// A link in a link is none.
    in_link: bool,
}

impl Place {
    fn below(self) -> Self {
        Self { depth: self.depth + 1, ..self }
    }
}

impl<'a> Drawing<'a> {
    /// Draws up to the end of the element that was just opened.
    fn children(&mut self, place: Place) -> AnyView {
        let mut drawn = Vec::new();
        while let Some(event) = self.events.next() {
            drawn.push(match event {
                Event::Start(_) if place.depth >= DEPTH_MAX => self.plain().into_any(),
                Event::Start(tag) => self.element(&tag, place.below()),
                Event::End(_) => break,
                Event::Text(text) | Event::Html(text) | Event::InlineHtml(text) => {
                    text.into_string().into_any()
                }
                Event::Code(code) => view! { <code>{code.into_string()}</code> }.into_any(),
                Event::SoftBreak => " ".into_any(),
                Event::HardBreak => view! { <br /> }.into_any(),
                Event::Rule => view! { <hr /> }.into_any(),
                Event::TaskListMarker(done) => task(done),
                _ => ().into_any(),
            });
        }
        drawn.into_any()
    }

    /// The words up to the end of the element that was just opened, however deep it goes.
    fn plain(&mut self) -> String {
        let (mut open, mut words) = (1_usize, String::new());
        while open > 0 {
            match self.events.next() {
                Some(Event::Start(_)) => open += 1,
                Some(Event::End(_)) => open -= 1,
                Some(
                    Event::Text(text)
                    | Event::Code(text)
                    | Event::Html(text)
                    | Event::InlineHtml(text),
                ) => words.push_str(&text),
                Some(Event::SoftBreak | Event::HardBreak) => words.push(' '),
                Some(_) => {}
                None => break,
            }
        }
        words
    }

    fn element(&mut self, tag: &Tag<'a>, place: Place) -> AnyView {
        match tag {
            Tag::Link { dest_url, .. } => return self.link(dest_url, place),
            Tag::Image { dest_url, .. } => return self.image(dest_url, place),
            Tag::Table(_) => return self.table(place),
            _ => {}
        }
        let inner = self.children(place);
        match tag {
            Tag::Paragraph | Tag::HtmlBlock => view! { <p>{inner}</p> }.into_any(),
            Tag::Heading { level, .. } => heading(*level, inner),
            Tag::CodeBlock(kind) => code_block(kind, inner),
            Tag::List(Some(first)) => view! { <ol start=first.to_string()>{inner}</ol> }.into_any(),
            Tag::List(None) => view! { <ul>{inner}</ul> }.into_any(),
            Tag::Item => view! { <li>{inner}</li> }.into_any(),
            Tag::Emphasis => view! { <em>{inner}</em> }.into_any(),
            Tag::Strong => view! { <strong>{inner}</strong> }.into_any(),
            Tag::Strikethrough => view! { <del>{inner}</del> }.into_any(),
            Tag::BlockQuote(_) => view! { <blockquote>{inner}</blockquote> }.into_any(),
            _ => inner,
        }
    }

    fn link(&mut self, url: &str, place: Place) -> AnyView {
        let inner = self.children(Place { in_link: true, ..place });
        if place.in_link {
            return inner;
        }
        if let Some(name) = own_name(self.own.scheme, url) {
            return match self.own.hrefs.get(name) {
                Some(href) => view! { <a href=href.clone()>{inner}</a> }.into_any(),
                None => {
                    view! { {inner} " " <span class="faint">{self.own.unknown}</span> }.into_any()
                }
            };
        }
        match target(url) {
            Some(Target::Ours(href)) => view! { <a href=href>{inner}</a> }.into_any(),
            Some(Target::Elsewhere(href)) => {
                view! { <a href=href rel="noopener noreferrer nofollow">{inner}</a> }.into_any()
            }
            None => inner,
        }
    }

    /// Nothing is loaded from anywhere: an image is a link to it, in its own words.
    fn image(&mut self, url: &str, place: Place) -> AnyView {
        let words = self.plain();
        let words = if words.trim().is_empty() { "image".to_owned() } else { words };
        match target(url).filter(|_| !place.in_link) {
            Some(Target::Ours(href) | Target::Elsewhere(href)) => {
                view! { <a href=href rel="noopener noreferrer nofollow">{words} " (image)"</a> }
                    .into_any()
            }
            None => words.into_any(),
        }
    }

    fn table(&mut self, place: Place) -> AnyView {
        let (mut head, mut rows) = (().into_any(), Vec::new());
        while let Some(event) = self.events.next() {
            match event {
                Event::Start(Tag::TableHead) => head = self.row(true, place),
                Event::Start(_) => rows.push(self.row(false, place)),
                Event::End(_) => break,
                _ => {}
            }
        }
        view! {
            <div class="scroll" tabindex="0" role="region" aria-label="Table">
                <table>
                    <thead>{head}</thead>
                    <tbody>{rows}</tbody>
                </table>
            </div>
        }
        .into_any()
    }

    fn row(&mut self, head: bool, place: Place) -> AnyView {
        let mut cells = Vec::new();
        while let Some(event) = self.events.next() {
            match event {
                Event::Start(_) => {
                    let inner = self.children(place.below());
                    cells.push(if head {
                        view! { <th scope="col">{inner}</th> }.into_any()
                    } else {
                        view! { <td>{inner}</td> }.into_any()
                    });
                }
                Event::End(_) => break,
                _ => {}
            }
        }
        view! { <tr>{cells}</tr> }.into_any()
    }
}

/// The page has its own first two levels.
fn heading(level: HeadingLevel, inner: AnyView) -> AnyView {
    match level {
        HeadingLevel::H1 | HeadingLevel::H2 => view! { <h3>{inner}</h3> }.into_any(),
        HeadingLevel::H3 => view! { <h4>{inner}</h4> }.into_any(),
        HeadingLevel::H4 => view! { <h5>{inner}</h5> }.into_any(),
        HeadingLevel::H5 | HeadingLevel::H6 => view! { <h6>{inner}</h6> }.into_any(),
    }
}

fn code_block(kind: &CodeBlockKind<'_>, inner: AnyView) -> AnyView {
    let language = match kind {
        CodeBlockKind::Fenced(word) => word.split_whitespace().next().map(str::to_owned),
        CodeBlockKind::Indented => None,
    };
    let label = language.map_or_else(|| "Code".to_owned(), |word| format!("Code: {word}"));
    view! {
        <pre tabindex="0" role="region" aria-label=label>
            <code>{inner}</code>
        </pre>
    }
    .into_any()
}

fn task(done: bool) -> AnyView {
    let said = if done { "done" } else { "to do" };
    view! {
        <input type="checkbox" disabled checked=done aria-label=said />
        " "
    }
    .into_any()
}

enum Target {
    Ours(String),
    /// Another host, or a mail program.
    Elsewhere(String),
}

/// The name in `scheme:name`.
fn own_name<'a>(scheme: &str, url: &'a str) -> Option<&'a str> {
    let (head, name) = url.split_once(':')?;
    (!scheme.is_empty() && head.eq_ignore_ascii_case(scheme)).then_some(name)
}

/// Pages and mail: no script, no data, nothing that a browser reads otherwise than it looks.
fn target(url: &str) -> Option<Target> {
    // Browsers drop tabs and line ends in an address and take a backslash for a slash.
    let strange = |c: char| c.is_control() || c.is_whitespace() || c == '\\';
    if url.is_empty() || url.contains(strange) {
        return None;
    }
    if let Some(fragment) = url.strip_prefix('#') {
        return Some(Target::Ours(format!("#{fragment}")));
    }
    if url.starts_with("//") {
        return None;
    }
    if url.starts_with('/') {
        return Some(Target::Ours(paths::at(url)));
    }
    let before = url.split(['/', '?', '#']).next().unwrap_or_default();
    match before.split_once(':') {
        None => Some(Target::Ours(url.to_owned())),
        Some((scheme, _)) => {
            let rest = &url[scheme.len()..];
            let web = ["http", "https"].iter().any(|known| scheme.eq_ignore_ascii_case(known));
            let known = web && rest.starts_with("://") || scheme.eq_ignore_ascii_case("mailto");
            known.then(|| Target::Elsewhere(url.to_owned()))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn drawn(text: &str) -> String {
        let own = OwnLinks {
            scheme: "operation",
            hrefs: BTreeMap::from([("a.b".to_owned(), "/a-b".to_owned())]),
            unknown: "(not there)",
        };
        let text = text.to_owned();
        let html = Owner::new().with(|| view! { <Markdown text own /> }.to_html());
        // The marks that drawing leaves between texts.
        html.replace("<!>", "").replace("<!---->", "")
    }

    #[test]
    fn links_lead_to_pages_and_mail_alone() {
        for good in [
            "http://a.example",
            "HTTPS://a.example/x?y#z",
            "mailto:a@b.example",
            "/system/ops/runs",
            "#start",
            "other/page",
            "?page=2",
        ] {
            assert!(target(good).is_some(), "{good}");
        }
        for bad in [
            "javascript:alert(1)",
            "JaVaScRiPt:alert(1)",
            " javascript:alert(1)",
            "java\tscript:alert(1)",
            "java\nscript:alert(1)",
            "\u{1}javascript:alert(1)",
            "vbscript:x",
            "data:text/html,x",
            "file:///etc/passwd",
            "blob:x",
            "//evil.example",
            "/\\evil.example",
            "\\\\evil.example",
            "/\t/evil.example",
            "https:evil.example",
            "https\u{3a}\u{5c}evil.example",
            "",
        ] {
            assert!(target(bad).is_none(), "{bad:?}");
        }
    }

    #[test]
    fn links_of_our_own_are_checked_against_what_is_there() {
        let html = drawn("[go](operation:a.b) and [no](operation:c.d) and [up](Operation:a.b)");
        assert_eq!(html.matches("href=\"/a-b\"").count(), 2, "{html}");
        assert!(html.contains("(not there)") && !html.contains("c.d"), "{html}");
    }

    #[test]
    fn what_people_write_is_drawn() {
        let html = drawn(
            "# A\n\n### B\n\n- [x] done\n- [ ] to do\n\n| a | b |\n|---|---|\n| `c` | d |\n\n```sh\nls < x\n```\n\n3. three\n\n~~old~~",
        );
        for said in [
            "<h3>A</h3>",
            "<h4>B</h4>",
            "checked",
            "<th scope=\"col\">",
            "<td>",
            "<code>c</code>",
            "ls &lt; x",
            "start=\"3\"",
            "<del>old",
            "Code: sh",
        ] {
            assert!(html.contains(said), "{said} is missing in {html}");
        }
    }

    #[test]
    fn an_image_is_a_link_and_a_link_in_a_link_is_none() {
        let html = drawn("![a cat](https://evil.example/cat.png) ![](data:image/png;base64,x)");
        assert!(!html.contains("<img") && !html.contains("data:"), "{html}");
        assert!(html.contains("a cat") && html.contains("(image)"), "{html}");
        let html = drawn("[![x](http://a.example/i)](http://b.example/)");
        assert_eq!(html.matches("<a ").count(), 1, "{html}");
    }

    #[test]
    fn what_is_nested_without_end_is_drawn_to_its_words() {
        let quotes = format!("{} deep", ">".repeat(20_000));
        assert!(drawn(&quotes).contains("deep"));
        let list: Vec<String> = (0..2_000).map(|n| format!("{}- x{n}", "  ".repeat(n))).collect();
        let list = list.join("\n");
        assert!(drawn(&list).contains("x0"));
        let stars = format!("{}word{}", "*".repeat(50_000), "*".repeat(50_000));
        assert!(drawn(&stars).contains("word"));
        let brackets = format!("{}x{}", "[".repeat(50_000), "](y)".repeat(12_000));
        assert!(drawn(&brackets).contains('x'));
    }
}
