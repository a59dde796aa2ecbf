//! What other rooms asked for as traits, answered from the tables.

use super::{Store, error::StoreError};
use crate::journal::{
    record::Record,
    recorder::{InsertError, RequestLog},
};

impl RequestLog for Store {
    async fn insert(&self, records: &[Record]) -> Result<usize, InsertError> {
        self.insert_requests(records).await.map_err(|error| {
            let text = error.to_string();
            match error {
                StoreError::Unavailable(_) => InsertError::Away(text),
                _ => InsertError::Refused(text),
            }
        })
    }

    async fn takes_records(&self) -> bool {
        self.rehearse_insert().await.is_ok()
    }
}
