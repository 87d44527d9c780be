//! Owns making one stylesheet out of `style/`: `main.css` imports the others, in order, and each import is
//! replaced by its file; comments and idle whitespace go. Must not understand CSS beyond that: what the files
//! say is what browsers get, so nothing here can change the meaning of a rule.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};

/// The stylesheet that `main` stands for.
pub fn bundle(main: &Path) -> Result<String> {
    Ok(minify(&inline(main, &mut Vec::new())?))
}

/// `open`: the files whose imports led here.
fn inline(file: &Path, open: &mut Vec<PathBuf>) -> Result<String> {
    let name = file.display().to_string();
    let real = fs::canonicalize(file).with_context(|| format!("cannot read {name}"))?;
    if open.contains(&real) {
        bail!("{name} imports itself");
    }
    let text = fs::read_to_string(&real).with_context(|| format!("cannot read {name}"))?;
    let folder = file.parent().context("a stylesheet without a folder")?;
    open.push(real);
    let mut out = String::with_capacity(text.len());
    for (number, line) in text.lines().enumerate() {
        if let Some(import) = line.trim_start().strip_prefix("@import") {
            let (target, layer) = parse_import(import).with_context(|| {
                format!("{name}:{}: expected @import \"./file.css\";", number + 1)
            })?;
            let inner = inline(&folder.join(target), open)
                .with_context(|| format!("{name}:{}", number + 1))?;
            match layer {
                Some(layer) => out.extend(["@layer ", layer, " {\n", &inner, "}\n"]),
                None => out.push_str(&inner),
            }
        } else {
            out.push_str(line);
            out.push('\n');
        }
    }
    open.pop();
    Ok(out)
}

/// ` "./tokens.css" layer(base);` → its file and layer.
fn parse_import(rest: &str) -> Option<(&str, Option<&str>)> {
    let rest = rest.trim();
    let quote = rest.chars().next().filter(|letter| matches!(letter, '"' | '\''))?;
    let (file, rest) = rest[1..].split_once(quote)?;
    let condition = rest.trim().strip_suffix(';')?.trim();
    if condition.is_empty() {
        return Some((file, None));
    }
    let layer = condition.strip_prefix("layer(")?.strip_suffix(')')?;
    Some((file, Some(layer)))
}

/// Drops comments, and whitespace where CSS never needs any.
fn minify(css: &str) -> String {
    let mut out = String::with_capacity(css.len());
    let mut rest = css;
    let mut space = false;
    while let Some(letter) = rest.chars().next() {
        if let Some(comment) = rest.strip_prefix("/*") {
            rest = comment.split_once("*/").map_or("", |(_, after)| after);
            space = true;
        } else if letter.is_ascii_whitespace() {
            rest = &rest[1..];
            space = true;
        } else {
            let length = verbatim(rest);
            if space && needs_space(out.chars().next_back(), letter) {
                out.push(' ');
            }
            space = false;
            if letter == '}' && out.ends_with(';') {
                out.pop();
            }
            out.push_str(&rest[..length]);
            rest = &rest[length..];
        }
    }
    out
}

/// How much of the text must be taken as it stands: a string, an address without quotes, or one letter.
fn verbatim(text: &str) -> usize {
    let first = text.chars().next().map_or(0, char::len_utf8);
    match text.as_bytes()[0] {
        quote @ (b'"' | b'\'') => {
            let mut escaped = false;
            let end = text.bytes().skip(1).position(|byte| {
                let ends = byte == quote && !escaped;
                escaped = byte == b'\\' && !escaped;
                ends
            });
            end.map_or(text.len(), |at| at + 2)
        }
        b'u' if text.starts_with("url(") && !text[4..].trim_start().starts_with(['"', '\'']) => {
            text.find(')').map_or(text.len(), |at| at + 1)
        }
        _ => first,
    }
}

fn needs_space(before: Option<char>, after: char) -> bool {
    let idle = |letter| matches!(letter, '{' | '}' | ';' | ',');
    before.is_some_and(|before| !idle(before)) && !idle(after)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn folder(files: &[(&str, &str)]) -> tempfile::TempDir {
        let folder = tempfile::tempdir().unwrap();
        for (name, text) in files {
            let path = folder.path().join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        }
        folder
    }

    #[test]
    fn imports_are_replaced_in_order() {
        let style = folder(&[
            ("main.css", "/* all */\n@import \"./tokens.css\";\n@import './ui/table.css';\n"),
            ("tokens.css", ":root {\n  --gap: 4px;\n}\n"),
            ("ui/table.css", "table { gap: var(--gap) }\n"),
        ]);
        let css = bundle(&style.path().join("main.css")).unwrap();
        assert_eq!(css, ":root{--gap: 4px}table{gap: var(--gap)}");
    }

    #[test]
    fn a_layer_stays_around_its_file() {
        let style = folder(&[
            ("main.css", "@layer base, ui;\n@import \"./b.css\" layer(base);"),
            ("b.css", "a{}"),
        ]);
        let css = bundle(&style.path().join("main.css")).unwrap();
        assert_eq!(css, "@layer base,ui;@layer base{a{}}");
    }

    #[test]
    fn a_missing_file_is_named_with_its_line() {
        let style = folder(&[("main.css", "\n@import \"./gone.css\";")]);
        let words = format!("{:#}", bundle(&style.path().join("main.css")).unwrap_err());
        assert!(words.contains("main.css:2") && words.contains("gone.css"), "{words}");
    }

    #[test]
    fn a_circle_is_refused() {
        let style =
            folder(&[("main.css", "@import \"./a.css\";"), ("a.css", "@import \"./main.css\";")]);
        let words = format!("{:#}", bundle(&style.path().join("main.css")).unwrap_err());
        assert!(words.contains("imports itself"), "{words}");
    }

    #[test]
    fn a_condition_other_than_a_layer_is_refused() {
        assert_eq!(parse_import(" \"./a.css\" print;"), None);
        assert_eq!(parse_import(" url(a.css);"), None);
        assert_eq!(parse_import(" \"./a.css\""), None);
    }

    #[test]
    fn what_carries_meaning_is_kept() {
        assert_eq!(
            minify("a :hover > b + c { margin: -1px  2px }"),
            "a :hover > b + c{margin: -1px 2px}"
        );
        assert_eq!(
            minify("a::before { content: \" /* { ; */ \\\" \" ; }"),
            "a::before{content: \" /* { ; */ \\\" \"}"
        );
        assert_eq!(
            minify("@media (min-width: 1px) and (a) { b { } }"),
            "@media (min-width: 1px) and (a){b{}}"
        );
        assert_eq!(minify("a{background:url( x;y )}"), "a{background:url( x;y )}");
        assert_eq!(minify("a/* x */b{width:calc(1px + 2px)}"), "a b{width:calc(1px + 2px)}");
        assert_eq!(minify("q{content: '–'}"), "q{content: '–'}");
    }
}
