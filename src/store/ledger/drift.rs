//! Drift: where balances are not the sums of what they are made from (I-04). Empty when all is sound.

use diesel::sql_types::{BigInt, Text};
use diesel_async::RunQueryDsl as _;

use super::{Cost, Pico, Store, StoreError, Usd, db};

/// Most differences that are told; one is enough to look.
const TOLD: usize = 1_000;

/// One balance that is not what it should be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Drift {
    /// Whose.
    pub account: String,
    /// Of which minute; 0 for the sum of all.
    pub minute: i64,
    /// The sum of its rows, lost attempts and corrections.
    pub cost: Pico,
    /// What the balance says.
    pub balance: Pico,
    /// How many rows there are.
    pub requests: i64,
    /// How many the balance counts.
    pub counted: i64,
}

#[derive(diesel::QueryableByName)]
struct Row {
    #[diesel(sql_type = Text)]
    account: String,
    #[diesel(sql_type = BigInt)]
    minute: i64,
    #[diesel(sql_type = Usd)]
    cost: Cost,
    #[diesel(sql_type = Usd)]
    balance: Cost,
    #[diesel(sql_type = BigInt)]
    requests: i64,
    #[diesel(sql_type = BigInt)]
    counted: i64,
}

impl Store {
    /// Compares every balance with the rows it is made from. Reads the whole log.
    ///
    /// # Errors
    /// When the database does not answer in time.
    pub async fn drift(&self) -> Result<Vec<Drift>, StoreError> {
        let statement = statement();
        let rows: Vec<Row> =
            db!(self.engine(), read, conn => diesel::sql_query(statement).load(conn).await?)?;
        Ok(rows
            .into_iter()
            .map(|Row { account, minute, cost, balance, requests, counted }| Drift {
                account,
                minute,
                cost: cost.pico(),
                balance: balance.pico(),
                requests,
                counted,
            })
            .collect())
    }
}

fn statement() -> String {
    let of_requests = |kind: &str| {
        format!(
            "SELECT '{kind}/' || {kind}_id AS account, minute, COALESCE(cost, 0) AS cost, 1 AS counts \
             FROM requests WHERE {kind}_id IS NOT NULL"
        )
    };
    let (users, keys, providers) = (of_requests("user"), of_requests("key"), of_requests("provider"));
    format!(
        "WITH lines AS ({users} UNION ALL {keys} UNION ALL {providers} UNION ALL \
             SELECT 'provider/' || attempts.provider_id, minute, attempts.cost, 0 FROM attempts \
             JOIN requests ON requests.id = request_id WHERE attempts.cost IS NOT NULL UNION ALL \
             SELECT account, minute, amount, 0 FROM ledger_entries WHERE kind = 'correction'), \
         sums AS (SELECT account, minute, SUM(cost) AS cost, SUM(counts) AS requests FROM lines \
             GROUP BY account, minute UNION ALL \
             SELECT account, 0, SUM(cost), SUM(counts) FROM lines GROUP BY account), \
         both_sides AS (SELECT COALESCE(sums.account, held.account) AS account, \
             CAST(COALESCE(sums.minute, held.minute) AS bigint) AS minute, \
             COALESCE(sums.cost, 0) AS cost, COALESCE(held.cost, 0) AS balance, \
             CAST(COALESCE(sums.requests, 0) AS bigint) AS requests, \
             CAST(COALESCE(held.requests, 0) AS bigint) AS counted \
             FROM sums FULL OUTER JOIN ledger_balances AS held \
             ON held.account = sums.account AND held.minute = sums.minute) \
         SELECT * FROM both_sides WHERE cost <> balance OR requests <> counted \
         ORDER BY account, minute LIMIT {TOLD}"
    )
}
