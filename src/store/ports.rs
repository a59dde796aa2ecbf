//! What other rooms asked for as traits, answered from the tables.

use super::{Store, error::StoreError};
use crate::journal::{
    balances::{Balance, BalancesAsk},
    record::Record,
    writer::{InsertError, RequestLog},
};

impl RequestLog for Store {
    async fn insert(&self, records: &[Record]) -> Result<usize, InsertError> {
        self.insert_requests(records).await.map_err(in_the_recorders_words)
    }

    async fn takes_records(&self) -> bool {
        self.rehearse_insert().await.is_ok()
    }

    async fn balances(&self, asks: Vec<BalancesAsk>) -> Result<Vec<Balance>, InsertError> {
        Self::balances(self, asks).await.map_err(in_the_recorders_words)
    }
}

fn in_the_recorders_words(error: StoreError) -> InsertError {
    let text = error.to_string();
    match error {
        StoreError::Unavailable(_) => InsertError::Away(text),
        _ => InsertError::Refused(text),
    }
}
