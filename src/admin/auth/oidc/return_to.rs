//! Where a browser goes after it has signed in: a path of ours, whatever was asked for.

use url::Url;

/// Nothing is ever asked of it.
const HERE: &str = "https://here.invalid";
/// It lies in a cookie, which browsers keep up to 4 KiB of.
const MOST_BYTES: usize = 1_000;

/// The path as a browser reads it; none of what would lead it elsewhere.
pub(super) fn local(text: &str) -> Option<String> {
    let odd = |letter: char| letter.is_control() || letter == '\\';
    if !text.starts_with('/') || text.len() > MOST_BYTES || text.contains(odd) {
        return None;
    }
    let here = Url::parse(HERE).ok()?;
    let there = here.join(text).ok()?;
    let path = there.as_str().strip_prefix(HERE)?;
    // What climbs may end up with two slashes in front, which name another host.
    (there.origin() == here.origin() && path.starts_with('/') && !path.starts_with("//"))
        .then(|| path.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn c19_after_signing_in_a_browser_stays_here() {
        for (asked, expected) in [
            ("/", Some("/")),
            ("/users?x=y&z#top", Some("/users?x=y&z#top")),
            ("/a/../b", Some("/b")),
            ("/a//b", Some("/a//b")),
            ("/%2f%2fevil.example", Some("/%2f%2fevil.example")),
            ("/\"><script>", Some("/%22%3E%3Cscript%3E")),
            ("", None),
            ("users", None),
            ("//evil.example", None),
            ("///evil.example", None),
            ("/\\evil.example", None),
            ("\\\\evil.example", None),
            ("/\t/evil.example", None),
            ("/\n/evil.example", None),
            ("/x/..//evil.example", None),
            ("/.//evil.example", None),
            ("https://evil.example", None),
            ("https:/evil.example", None),
            ("javascript:alert(1)", None),
            (" //evil.example", None),
        ] {
            assert_eq!(local(asked).as_deref(), expected, "{asked}");
        }
        assert_eq!(local(&format!("/{}", "a".repeat(MOST_BYTES))), None);
    }
}
