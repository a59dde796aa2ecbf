//! Both folders, `schema.rs` and the databases say the same; going down and up again works.

use std::collections::BTreeMap;

use super::{Backend, Rig, on_both};
use crate::store::StoreError;

on_both! {
    migrating_twice_changes_nothing
    every_migration_goes_down_and_up_again
    several_servers_may_migrate_at_once
    tables_are_what_the_schema_file_says
    tables_and_columns_carry_comments
}

const SCHEMA: &str = concat!(include_str!("../schema.rs"), include_str!("../schema/usage.rs"));

#[test]
fn both_folders_hold_the_same_migrations() {
    let names = |folder: &str| -> Vec<String> {
        let path = format!("{}/migrations/{folder}", env!("CARGO_MANIFEST_DIR"));
        let mut names: Vec<String> = std::fs::read_dir(path)
            .unwrap()
            .map(|entry| {
                let entry = entry.unwrap();
                for half in ["up.sql", "down.sql"] {
                    let text = std::fs::read_to_string(entry.path().join(half)).unwrap();
                    assert!(!text.trim().is_empty(), "{:?} {half}", entry.path());
                }
                entry.file_name().into_string().unwrap()
            })
            .collect();
        names.sort();
        names
    };
    assert_eq!(names("sqlite"), names("postgres"));
}

async fn migrating_twice_changes_nothing(rig: Rig) {
    assert_eq!(rig.store.migrate().await.unwrap(), Vec::<String>::new());
    assert_eq!(rig.store.pending_migrations().await.unwrap(), Vec::<String>::new());
    rig.store.ping().await.unwrap();
}

async fn every_migration_goes_down_and_up_again(rig: Rig) {
    let before = columns(&rig).await;
    let mut down = rig.store.unmigrate().await.unwrap();
    assert_eq!(columns(&rig).await, BTreeMap::new(), "nothing is left of the tables");
    assert!(matches!(rig.store.directory().await, Err(StoreError::Refused(_))));
    down.reverse();
    assert_eq!(rig.store.pending_migrations().await.unwrap(), down);
    assert_eq!(rig.store.migrate().await.unwrap(), down);
    assert_eq!(columns(&rig).await, before);
}

async fn several_servers_may_migrate_at_once(rig: Rig) {
    rig.store.unmigrate().await.unwrap();
    let stores: Vec<_> = (0..3).map(|_| rig.reopened(super::sealer("11"))).collect();
    let applied = futures_util::future::join_all(stores.iter().map(|store| store.migrate())).await;
    let total: usize = applied.into_iter().map(|names| names.unwrap().len()).sum();
    assert_eq!(total, migrations().len(), "each migration is applied by one of them");
}

async fn tables_are_what_the_schema_file_says(rig: Rig) {
    assert_eq!(columns(&rig).await, written(rig.backend));
}

async fn tables_and_columns_carry_comments(rig: Rig) {
    if rig.backend == Backend::Sqlite {
        return; // has no comments
    }
    let tables = rig
        .texts(
            "SELECT relname::text AS text FROM pg_class \
             WHERE relnamespace = current_schema()::regnamespace AND relkind = 'r' \
             AND relname NOT LIKE '\\_\\_diesel%' AND obj_description(oid) IS NULL",
        )
        .await;
    assert_eq!(tables, Vec::<String>::new(), "tables without a comment");
}

fn migrations() -> Vec<std::fs::DirEntry> {
    let path = format!("{}/migrations/sqlite", env!("CARGO_MANIFEST_DIR"));
    std::fs::read_dir(path).unwrap().map(Result::unwrap).collect()
}

/// Tables with their columns as `name type null?`, in order.
type Columns = BTreeMap<String, Vec<String>>;

/// The tables of the database.
async fn columns(rig: &Rig) -> Columns {
    let query = match rig.backend {
        Backend::Sqlite => {
            "SELECT tables.name || ' ' || columns.name || ' ' || lower(columns.type) \
             || CASE WHEN columns.\"notnull\" THEN '' ELSE ' null' END AS text \
             FROM sqlite_master AS tables, pragma_table_info(tables.name) AS columns \
             WHERE tables.type = 'table' AND tables.name NOT LIKE '\\_\\_%' ESCAPE '\\' \
             AND tables.name NOT LIKE 'sqlite%' ORDER BY tables.name, columns.cid"
        }
        Backend::Postgres => {
            "SELECT table_name || ' ' || column_name || ' ' || data_type \
             || CASE data_type WHEN 'numeric' THEN '(' || numeric_precision || ',' || numeric_scale || ')' \
                ELSE '' END \
             || CASE is_nullable WHEN 'YES' THEN ' null' ELSE '' END AS text \
             FROM information_schema.columns WHERE table_schema = current_schema() \
             AND table_name NOT LIKE '\\_\\_%' ORDER BY table_name, ordinal_position"
        }
    };
    let mut tables = Columns::new();
    for line in rig.texts(query).await {
        let (table, column) = line.split_once(' ').unwrap();
        tables.entry(table.to_owned()).or_default().push(column.to_owned());
    }
    tables
}

/// The tables of `schema.rs`, with types as the backend calls them.
fn written(backend: Backend) -> Columns {
    let mut tables = Columns::new();
    let mut table = String::new();
    for line in SCHEMA.lines().map(str::trim) {
        if let Some((name, _)) = line.split_once(" (").filter(|_| line.ends_with(") {")) {
            table = name.to_owned();
        } else if let Some((name, kind)) = line.strip_suffix(',').and_then(|line| line.split_once(" -> ")) {
            let bare = kind.strip_prefix("Nullable<").and_then(|kind| kind.strip_suffix('>'));
            let null = if bare.is_some() { " null" } else { "" };
            let column = format!("{name} {}{null}", native(backend, bare.unwrap_or(kind)));
            tables.entry(table.clone()).or_default().push(column);
        }
    }
    assert_eq!(tables.len(), SCHEMA.matches("table! {").count());
    tables
}

fn native(backend: Backend, kind: &str) -> &'static str {
    let (postgres, sqlite) = match kind {
        "BigInt" => ("bigint", "integer"),
        "Integer" => ("integer", "integer"),
        "Bool" => ("boolean", "boolean"),
        "Text" => ("text", "text"),
        "Binary" => ("bytea", "blob"),
        "Ts" => ("timestamp with time zone", "integer"),
        "Usd" => ("numeric(24,12)", "integer"),
        "Doc" => ("jsonb", "text"),
        "Uid" => ("uuid", "blob"),
        other => panic!("unknown column type {other}"),
    };
    if backend == Backend::Postgres { postgres } else { sqlite }
}
