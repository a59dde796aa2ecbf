//! Keeps the walls that the compiler does not: walks the sources and says where one was broken.
//!
//! A rule is a row: where it looks, what must not stand there, and why. Comments are looked at like code,
//! save where a rule says otherwise: a name that has no business in a room has none in its comments either.

#[path = "tidy/security.rs"]
mod security;

use std::{
    fs,
    path::{Path, PathBuf},
};

/// No file is longer; one that wants to be holds two ideas.
const LONGEST_FILE: usize = 450;

/// One wall.
struct Rule {
    /// Path prefixes it holds for, relative to the repository.
    within: &'static [&'static str],
    /// Path prefixes and path ends it does not hold for.
    except: &'static [&'static str],
    /// What must not stand there. A word is only found as a whole word.
    forbidden: &'static [&'static str],
    /// Whether what stands behind `//` counts too.
    comments: bool,
    /// Whether the tests at the end of a file are held to it too.
    tests: bool,
    /// What the reader of the failure should know.
    reason: &'static str,
}

/// The files of `actors` that are not values: actors, their messages, the handle, supervision, test gear.
const ACTOR_FILES: &[&str] = &[
    "/mod.rs",
    "/messages.rs",
    "/tests.rs",
    "actors/src/lib.rs",
    "actors/src/gateway.rs",
    "actors/src/supervisor/",
    "actors/src/testkit/",
];

const RULES: &[Rule] = &[
    Rule {
        within: &["actors/src/"],
        except: ACTOR_FILES,
        forbidden: &["actix", "actix_rt", "awc", "log", "env_logger"],
        comments: false,
        tests: true,
        reason: "a state file is a plain value: the actor beside it does the talking and the logging",
    },
    Rule {
        within: &["actors/src/"],
        except: &["actors/src/clock.rs", "actors/src/testkit/"],
        forbidden: &["Instant::now", "SystemTime::now", "Utc::now", "Local::now"],
        comments: false,
        // A test of a plain value needs some moment to begin at, whichever.
        tests: false,
        reason: "only clock.rs reads the time, so that tests can wind it; elsewhere it enters as `now`",
    },
    Rule {
        within: &["actors/src/"],
        except: &[],
        forbidden: &["awc", "actix_web", "diesel", "redis", "rustls"],
        comments: false,
        tests: true,
        reason: "the state knows no outside: what it needs from there comes as a message, or as a trait of its own",
    },
    Rule {
        within: &["protocol/src/"],
        except: &[],
        forbidden: &["actix", "actix_web", "awc", "tokio", "Instant", "SystemTime", "std::net", "std::fs"],
        comments: false,
        tests: true,
        reason: "protocol is pure functions over bytes: no runtime, no clock, no socket",
    },
    Rule {
        within: &["src/proxy/"],
        except: &[],
        forbidden: &["diesel", "diesel_async", "crate::admin", "sql_query"],
        comments: false,
        tests: true,
        reason: "the data plane runs no SQL and does not know the control plane",
    },
    Rule {
        within: &["src/admin/"],
        except: &[],
        forbidden: &["crate::proxy", "diesel", "diesel_async"],
        comments: false,
        tests: true,
        reason: "the control plane asks the store and the gateway handle; it does not know the data plane",
    },
    Rule {
        within: &["src/upstream/"],
        except: &[],
        forbidden: &["crate::admin", "crate::store", "crate::proxy", "diesel"],
        comments: false,
        tests: true,
        reason: "the way out knows neither who asked nor where it is written down",
    },
    Rule {
        within: &["src/store/"],
        except: &[],
        forbidden: &["actix_web", "awc", "crate::proxy", "crate::admin"],
        comments: false,
        tests: true,
        reason: "the store speaks in domain types; HTTP is decided elsewhere",
    },
    Rule {
        within: &["src/", "actors/src/"],
        except: &["src/store/"],
        forbidden: &[
            "INSERT INTO",
            "DELETE FROM",
            "SELECT * FROM",
            "CREATE TABLE",
            "ALTER TABLE",
            "sql_query",
        ],
        comments: false,
        tests: true,
        reason: "SQL lives in src/store and in migrations, nowhere else",
    },
    Rule {
        within: &[
            "actors/src/money.rs",
            "actors/src/pricing/",
            "actors/src/ledger/",
            "src/store/money.rs",
            "src/store/prices/",
            "src/admin/prices.rs",
            "src/admin/price_import/",
            "src/admin/provider_prices.rs",
            "src/admin/billing.rs",
            "src/admin/values.rs",
            "src/admin/limits.rs",
            "src/store/limits.rs",
            "src/current/prices.rs",
            "src/current/billing.rs",
            "src/current/builtin.rs",
            "protocol/src/usage.rs",
        ],
        except: &[],
        forbidden: &["f32", "f64", "as_f64", "to_f64", "from_f64"],
        comments: false,
        tests: true,
        reason: "money is decimal from intake to row: no float on the way (I-06)",
    },
    Rule {
        within: &["src/", "actors/", "protocol/", "benches/", "tests/"],
        except: &["tests/tidy.rs"],
        forbidden: &["todo!", "unimplemented!", "dbg!", "#[ignore", "FIXME", "XXX"],
        comments: true,
        tests: true,
        reason: "what is here is finished, and every test runs",
    },
    Rule {
        within: &["benches/rig/"],
        except: &[],
        forbidden: &["pointsman::", "actors::", "protocol::"],
        comments: false,
        tests: true,
        reason: "what measures does not share code with what is measured",
    },
    Rule {
        within: &["src/", "actors/src/", "protocol/src/"],
        except: &[],
        forbidden: &["mod utils", "mod common", "mod helpers", "mod misc"],
        comments: false,
        tests: true,
        reason: "nobody can guess what is in such a room: name the concept",
    },
];

#[test]
fn no_room_reaches_into_another() {
    let mut complaints = String::new();
    for (path, text) in sources() {
        for rule in RULES.iter().filter(|rule| rule.holds_for(&path)) {
            let held = text.lines().take_while(|line| rule.tests || *line != "#[cfg(test)]");
            for (number, line) in held.enumerate() {
                if let Some(found) = rule.breach(line) {
                    let (number, reason) = (number + 1, rule.reason);
                    complaints += &format!("{path}:{number}: `{found}`: {reason}\n");
                }
            }
        }
    }
    assert!(complaints.is_empty(), "\n{complaints}");
}

#[test]
fn no_file_outgrows_one_idea() {
    let mut complaints = String::new();
    for (path, text) in sources() {
        let lines = text.lines().count();
        if lines > LONGEST_FILE {
            complaints += &format!("{path}: {lines} lines, {LONGEST_FILE} at most: split it by concept\n");
        }
    }
    assert!(complaints.is_empty(), "\n{complaints}");
}

#[test]
fn every_file_says_what_it_is_for() {
    let silent: Vec<String> =
        sources().into_iter().filter(|(_, text)| !text.starts_with("//!")).map(|(path, _)| path).collect();
    assert!(silent.is_empty(), "no `//!` header on the first line of: {}", silent.join(", "));
}

/// A rule that finds nothing because it looks wrongly would keep no wall at all.
#[test]
fn a_breach_is_found_as_a_whole_word_and_outside_of_comments() {
    let rule = |comments| Rule {
        within: &[],
        except: &[],
        forbidden: &["log", "dbg!", "a::b"],
        comments,
        tests: true,
        reason: "",
    };
    let found = |line| rule(false).breach(line);
    assert_eq!(found("use log::info;"), Some("log"));
    assert_eq!(found("log!(x)"), Some("log"));
    assert_eq!(found("let x = a::b();"), Some("a::b"));
    assert_eq!(found("    dbg!(x)"), Some("dbg!"));
    assert_eq!(found("let x = 1.5log;"), Some("log"));
    assert_eq!(found("let catalog = dialogue();"), None);
    assert_eq!(found("use clog::x;"), None);
    assert_eq!(found("let x = 1; // the log says so"), None);
    assert_eq!(rule(true).breach("// dbg!"), Some("dbg!"));

    let walls = Rule {
        within: &["actors/src/"],
        except: ACTOR_FILES,
        forbidden: &[],
        comments: false,
        tests: true,
        reason: "",
    };
    assert!(walls.holds_for("actors/src/provider/breaker.rs"));
    assert!(!walls.holds_for("actors/src/provider/mod.rs"));
    assert!(!walls.holds_for("actors/src/supervisor/guard.rs"));
    assert!(!walls.holds_for("src/boot.rs"));
}

impl Rule {
    fn holds_for(&self, path: &str) -> bool {
        self.within.iter().any(|prefix| path.starts_with(prefix))
            && !self.except.iter().any(|except| path.starts_with(except) || path.ends_with(except))
    }

    fn breach(&self, line: &str) -> Option<&'static str> {
        let code = if self.comments { line } else { line.split("//").next().unwrap_or("") };
        self.forbidden.iter().copied().find(|word| holds_word(code, word))
    }
}

fn holds_word(text: &str, word: &str) -> bool {
    let in_a_name = |c: char| c.is_alphanumeric() || c == '_';
    let open_ended = !word.ends_with(in_a_name);
    text.match_indices(word).any(|(at, _)| {
        let (before, after) = (text[..at].chars().next_back(), text[at + word.len()..].chars().next());
        // A digit may stand before it: the type of a number is written behind it, as in `1.5f64`.
        !before.is_some_and(|c| in_a_name(c) && !c.is_ascii_digit())
            && (open_ended || !after.is_some_and(in_a_name))
    })
}

/// Every Rust source of the house with its path relative to the repository.
fn sources() -> Vec<(String, String)> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut found = Vec::new();
    for room in ["src", "actors", "protocol", "benches", "tests", "fuzz"] {
        walk(&root.join(room), &mut found);
    }
    found.sort();
    assert!(found.len() > 10, "the walk found next to nothing: {found:?}");
    found
        .into_iter()
        .map(|path| {
            let text = fs::read_to_string(&path).expect("a source is UTF-8");
            let path = path.strip_prefix(root).expect("the walk began at the root");
            (path.to_string_lossy().into_owned(), text)
        })
        .collect()
}

fn walk(folder: &Path, found: &mut Vec<PathBuf>) {
    let Ok(entries) = fs::read_dir(folder) else { return };
    for path in entries.map(|entry| entry.expect("a folder can be listed").path()) {
        if path.is_dir() && !path.ends_with("target") {
            walk(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.push(path);
        }
    }
}
