//! What to send: members set one by one, or a whole object from a file.

use std::{
    fs,
    io::{self, Read as _},
    path::{Path, PathBuf},
};

use bytes::Bytes;
use clap::Args;
use serde_json::{Map, Value};

use super::exit::{Exit, Failure};

/// Members that are secrets; they don't belong on a command line.
const SECRETS: [&str; 2] = ["credential", "key"];

/// What to send.
#[derive(Debug, Args)]
pub(super) struct FieldArgs {
    /// Set a member, such as `limits.concurrency=4`; the value is JSON where it reads as such, else text.
    #[arg(long, value_name = "PATH=VALUE")]
    set: Vec<String>,
    /// The whole object as JSON, from a file or standard input (`-`).
    #[arg(long, short, value_name = "FILE", conflicts_with = "set")]
    file: Option<PathBuf>,
}

impl FieldArgs {
    /// For bodies that are all made of flags of their own.
    pub(super) const fn none() -> Self {
        Self { set: Vec::new(), file: None }
    }

    /// The body: the file as it is, or an object of the given members and those that were set.
    pub(super) fn body(&self, given: Vec<(&str, Value)>) -> Result<Bytes, Failure> {
        if let Some(path) = &self.file {
            if let Some((name, _)) = given.first() {
                return Err(Failure::usage(format!("--file holds the whole object; {name} belongs into it")));
            }
            return file(path);
        }
        let mut object = Map::new();
        for (path, value) in given {
            put(&mut object, path, value)?;
        }
        for text in &self.set {
            let (path, value) = text
                .split_once('=')
                .ok_or_else(|| Failure::usage(format!("--set {text}: expected is PATH=VALUE")))?;
            if SECRETS.contains(&path) {
                return Err(Failure::usage(format!(
                    "--set {path}: a secret on a command line can be read by everyone on this machine; \
                     use --credential-file or --file"
                )));
            }
            put(&mut object, path, meant(value))?;
        }
        if object.is_empty() {
            return Err(Failure::usage("nothing to change: use --set, a flag of its own, or --file"));
        }
        Ok(Bytes::from(Value::Object(object).to_string()))
    }

    /// Whether the whole object is in a file.
    pub(super) const fn is_file(&self) -> bool {
        self.file.is_some()
    }
}

/// Everything in a file, or on standard input.
pub(super) fn file(path: &Path) -> Result<Bytes, Failure> {
    let read = if path == Path::new("-") {
        let mut all = Vec::new();
        io::stdin().read_to_end(&mut all).map(|_| all)
    } else {
        fs::read(path)
    };
    let read = read.map_err(|error| Failure::new(Exit::No, format!("{}: {error}", path.display())))?;
    Ok(Bytes::from(read))
}

fn put(object: &mut Map<String, Value>, path: &str, value: Value) -> Result<(), Failure> {
    let (first, rest) = match path.split_once('.') {
        Some((first, rest)) => (first, Some(rest)),
        None => (path, None),
    };
    if first.is_empty() {
        return Err(Failure::usage(format!("--set {path}: a member without a name")));
    }
    let Some(rest) = rest else {
        object.insert(first.to_owned(), value);
        return Ok(());
    };
    let inner = object.entry(first).or_insert_with(|| Value::Object(Map::new()));
    match inner {
        Value::Object(inner) => put(inner, rest, value),
        _ => Err(Failure::usage(format!("--set {path}: {first} is set to something that has no members"))),
    }
}

/// What was typed as JSON. A number that is not whole stays text, so that no digit of money is lost; the API
/// reads it by its digits.
fn meant(text: &str) -> Value {
    match serde_json::from_str::<Value>(text) {
        Ok(Value::Number(number)) if !(number.is_i64() || number.is_u64()) => Value::String(text.to_owned()),
        Ok(value) => value,
        Err(_) => Value::String(text.to_owned()),
    }
}

/// The members that were given by flags of their own.
pub(super) fn given<'a>(
    members: impl IntoIterator<Item = (&'a str, Option<Value>)>,
) -> Vec<(&'a str, Value)> {
    members.into_iter().filter_map(|(name, value)| Some((name, value?))).collect()
}

/// A list, unless it is empty: a flag that was not given.
pub(super) fn list(items: &[String]) -> Option<Value> {
    (!items.is_empty()).then(|| Value::from(items.to_vec()))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn body(set: &[&str], given: Vec<(&str, Value)>) -> Result<Value, String> {
        let fields = FieldArgs { set: set.iter().map(|&text| text.to_owned()).collect(), file: None };
        let body = fields.body(given).map_err(|failure| failure.to_string())?;
        Ok(serde_json::from_slice(&body).unwrap())
    }

    #[test]
    fn values_are_json_where_they_read_as_such_and_money_keeps_its_digits() {
        let set =
            ["limits.rpm=60", "limits.usd_daily=1.100000000001", "enabled=false", "notes=hi there", "x=null"];
        let expected = json!({"name": "ada", "limits": {"rpm": 60, "usd_daily": "1.100000000001"},
                              "enabled": false, "notes": "hi there", "x": null});
        assert_eq!(body(&set, vec![("name", json!("ada"))]).unwrap(), expected);
        assert_eq!(
            body(&["name=\"12\"", "groups=[\"a\"]"], vec![]).unwrap(),
            json!({"name": "12", "groups": ["a"]})
        );
    }

    #[test]
    fn what_makes_no_sense_or_would_show_a_secret_is_refused() {
        for (set, why) in [
            (&["name"][..], "expected is PATH=VALUE"),
            (&["=1"], "without a name"),
            (&["a=1", "a.b=2"], "has no members"),
            (&["credential=sk-1"], "everyone on this machine"),
            (&[], "nothing to change"),
        ] {
            let refused = body(set, vec![]).unwrap_err();
            assert!(refused.contains(why), "{refused}");
            assert!(!refused.contains("sk-1"), "{refused}");
        }
    }
}
