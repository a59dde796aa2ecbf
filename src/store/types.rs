//! Column types that mean the same in both backends.
//!
//! | type | PostgreSQL | SQLite | in code |
//! |---|---|---|---|
//! | [`Ts`] | `timestamptz` | integer microseconds since 1970 | [`At`] |
//! | [`Usd`] | `numeric(24,12)` | integer of 10⁻¹² dollars | [`Amount`] |
//! | [`Usd`] | the same | the same | [`Cost`], which may be less than nothing |
//! | [`Doc`] | `jsonb` | JSON text | [`Json`] |
//! | [`Uid`] | `uuid` | 16 bytes | [`Id`] |
//!
//! and [`Clean`](super::text::Clean) for plain text. Everything that goes into a row is one of
//! these or a number, so what a database would choke on is dealt with here and there and nowhere
//! else: amounts out of range are refused (I-06), NUL is replaced (S15).

use actors::{
    ids::RequestId,
    money::{Money, Pico},
};
use bigdecimal::{BigDecimal, RoundingMode, ToPrimitive, num_bigint::BigInt as BigInteger};
use chrono::{DateTime, SubsecRound, Utc};
use diesel::{
    deserialize::{self, FromSql, FromSqlRow},
    expression::AsExpression,
    pg::{Pg, PgValue},
    query_builder::QueryId,
    serialize::{self, IsNull, Output, ToSql},
    sql_types::{self, SqlType},
    sqlite::{Sqlite, SqliteValue},
};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de::DeserializeOwned};
use uuid::Uuid;

use super::{error::StoreError, text::without_nul_escapes};

/// An instant. 1184 and 1185 are PostgreSQL's own numbers for `timestamptz` and its array.
#[derive(Debug, Clone, Copy, SqlType, QueryId)]
#[diesel(postgres_type(oid = 1184, array_oid = 1185), sqlite_type(name = "Long"))]
pub struct Ts;

/// Dollars, or a factor on them. 1700 and 1231 are `numeric` and its array.
#[derive(Debug, Clone, Copy, SqlType, QueryId)]
#[diesel(postgres_type(oid = 1700, array_oid = 1231), sqlite_type(name = "Long"))]
pub struct Usd;

/// A JSON document. 3802 and 3807 are `jsonb` and its array.
#[derive(Debug, Clone, Copy, SqlType, QueryId)]
#[diesel(postgres_type(oid = 3802, array_oid = 3807), sqlite_type(name = "Text"))]
pub struct Doc;

/// A request's id. 2950 and 2951 are `uuid` and its array.
#[derive(Debug, Clone, Copy, SqlType, QueryId)]
#[diesel(postgres_type(oid = 2950, array_oid = 2951), sqlite_type(name = "Binary"))]
pub struct Uid;

/// Digits after the point that a stored amount keeps.
const SCALE: i64 = 12;

/// A stored instant, to the microsecond.
#[derive(Debug, Clone, Copy, PartialEq, Eq, AsExpression, FromSqlRow, Serialize, Deserialize)]
#[diesel(sql_type = Ts)]
pub(crate) struct At(pub(crate) DateTime<Utc>);

impl At {
    /// The present, as rows are stamped with it. The only clock reading of the store.
    pub(crate) fn now() -> Self {
        Self(Utc::now().trunc_subsecs(6))
    }
}

impl ToSql<Ts, Pg> for At {
    fn to_sql<'b>(&'b self, out: &mut Output<'b, '_, Pg>) -> serialize::Result {
        ToSql::<sql_types::Timestamptz, Pg>::to_sql(&self.0, out)
    }
}

impl FromSql<Ts, Pg> for At {
    fn from_sql(value: PgValue<'_>) -> deserialize::Result<Self> {
        FromSql::<sql_types::Timestamptz, Pg>::from_sql(value).map(Self)
    }
}

impl ToSql<Ts, Sqlite> for At {
    fn to_sql<'b>(&'b self, out: &mut Output<'b, '_, Sqlite>) -> serialize::Result {
        out.set_value(self.0.timestamp_micros());
        Ok(IsNull::No)
    }
}

impl FromSql<Ts, Sqlite> for At {
    fn from_sql(value: SqliteValue<'_, '_, '_>) -> deserialize::Result<Self> {
        let micros = <i64 as FromSql<sql_types::BigInt, Sqlite>>::from_sql(value)?;
        DateTime::from_timestamp_micros(micros).map(Self).ok_or_else(|| "instant out of range".into())
    }
}

/// A stored amount: 12 digits after the point, within the range of an `i64` of them
/// (9,223,372.036854775807) on either backend.
#[derive(Debug, Clone, PartialEq, Eq, AsExpression, FromSqlRow)]
#[diesel(sql_type = Usd)]
pub(crate) struct Amount(i64);

impl Amount {
    /// For amounts someone typed: refuses what cannot be stored digit by digit.
    pub(crate) fn exact(amount: &Money, field: &'static str) -> Result<Self, StoreError> {
        let rounded = Self::rounded(amount, field)?;
        if rounded.money() == *amount {
            Ok(rounded)
        } else {
            Err(StoreError::invalid(field, "has more than 12 digits after the point"))
        }
    }

    /// For amounts that were computed: the thirteenth digit after the point is rounded, half up.
    pub(crate) fn rounded(amount: &Money, field: &'static str) -> Result<Self, StoreError> {
        let scaled = amount.as_decimal().with_scale_round(SCALE, RoundingMode::HalfUp);
        let (picodollars, _) = scaled.into_bigint_and_exponent();
        match picodollars.to_i64() {
            Some(picodollars) if picodollars >= 0 => Ok(Self(picodollars)),
            Some(_) => Err(StoreError::invalid(field, "must not be negative")),
            None => Err(StoreError::invalid(field, "is beyond 9223372.036854775807 dollars")),
        }
    }

    /// The amount as the rest of the house knows it.
    pub(crate) fn money(&self) -> Money {
        Money::from_decimal(self.decimal())
    }

    fn decimal(&self) -> BigDecimal {
        BigDecimal::new(BigInteger::from(self.0), SCALE)
    }
}

impl Serialize for Amount {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        self.money().serialize(to)
    }
}

impl<'de> Deserialize<'de> for Amount {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let money = Money::deserialize(from)?;
        Self::exact(&money, "amount").map_err(serde::de::Error::custom)
    }
}

impl ToSql<Usd, Pg> for Amount {
    fn to_sql<'b>(&'b self, out: &mut Output<'b, '_, Pg>) -> serialize::Result {
        let decimal = self.decimal();
        ToSql::<sql_types::Numeric, Pg>::to_sql(&decimal, &mut out.reborrow())
    }
}

impl FromSql<Usd, Pg> for Amount {
    fn from_sql(value: PgValue<'_>) -> deserialize::Result<Self> {
        let decimal = <BigDecimal as FromSql<sql_types::Numeric, Pg>>::from_sql(value)?;
        Self::rounded(&Money::from_decimal(decimal), "amount").map_err(Into::into)
    }
}

impl ToSql<Usd, Sqlite> for Amount {
    fn to_sql<'b>(&'b self, out: &mut Output<'b, '_, Sqlite>) -> serialize::Result {
        out.set_value(self.0);
        Ok(IsNull::No)
    }
}

impl FromSql<Usd, Sqlite> for Amount {
    fn from_sql(value: SqliteValue<'_, '_, '_>) -> deserialize::Result<Self> {
        <i64 as FromSql<sql_types::BigInt, Sqlite>>::from_sql(value).map(Self)
    }
}

/// A stored amount that was posted or is to be: whole picodollars, of either sign. What goes into a row is held
/// to the range of an `i64`; a sum that comes out of PostgreSQL may be beyond it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, AsExpression, FromSqlRow)]
#[diesel(sql_type = Usd)]
pub(crate) struct Cost(i128);

impl Cost {
    /// Refuses what no column holds.
    pub(crate) fn new(cost: Pico, field: &'static str) -> Result<Self, StoreError> {
        i64::try_from(cost.0)
            .map(|cost| Self(cost.into()))
            .map_err(|_| StoreError::invalid(field, "is beyond 9223372.036854775807 dollars"))
    }

    /// The amount as the rest of the house knows it.
    pub(crate) fn pico(self) -> Pico {
        Pico(self.0)
    }
}

impl ToSql<Usd, Pg> for Cost {
    fn to_sql<'b>(&'b self, out: &mut Output<'b, '_, Pg>) -> serialize::Result {
        let decimal = BigDecimal::new(BigInteger::from(self.0), SCALE);
        ToSql::<sql_types::Numeric, Pg>::to_sql(&decimal, &mut out.reborrow())
    }
}

impl FromSql<Usd, Pg> for Cost {
    fn from_sql(value: PgValue<'_>) -> deserialize::Result<Self> {
        let decimal = <BigDecimal as FromSql<sql_types::Numeric, Pg>>::from_sql(value)?;
        Ok(Self(Money::from_decimal(decimal).to_pico().0))
    }
}

impl ToSql<Usd, Sqlite> for Cost {
    fn to_sql<'b>(&'b self, out: &mut Output<'b, '_, Sqlite>) -> serialize::Result {
        out.set_value(i64::try_from(self.0)?);
        Ok(IsNull::No)
    }
}

impl FromSql<Usd, Sqlite> for Cost {
    fn from_sql(value: SqliteValue<'_, '_, '_>) -> deserialize::Result<Self> {
        <i64 as FromSql<sql_types::BigInt, Sqlite>>::from_sql(value).map(|cost| Self(cost.into()))
    }
}

/// A stored request id.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, AsExpression, FromSqlRow)]
#[diesel(sql_type = Uid)]
pub(crate) struct Id(pub(crate) RequestId);

impl ToSql<Uid, Pg> for Id {
    fn to_sql<'b>(&'b self, out: &mut Output<'b, '_, Pg>) -> serialize::Result {
        use std::io::Write as _;
        out.write_all(self.0.0.as_bytes())?;
        Ok(IsNull::No)
    }
}

impl FromSql<Uid, Pg> for Id {
    fn from_sql(value: PgValue<'_>) -> deserialize::Result<Self> {
        Ok(Self(RequestId(Uuid::from_slice(value.as_bytes())?)))
    }
}

impl ToSql<Uid, Sqlite> for Id {
    fn to_sql<'b>(&'b self, out: &mut Output<'b, '_, Sqlite>) -> serialize::Result {
        out.set_value(&self.0.0.as_bytes()[..]);
        Ok(IsNull::No)
    }
}

impl FromSql<Uid, Sqlite> for Id {
    fn from_sql(mut value: SqliteValue<'_, '_, '_>) -> deserialize::Result<Self> {
        Ok(Self(RequestId(Uuid::from_slice(value.read_blob())?)))
    }
}

/// A stored document.
#[derive(Debug, Clone, PartialEq, Eq, Default, AsExpression, FromSqlRow, Serialize, Deserialize)]
#[diesel(sql_type = Doc)]
pub(crate) struct Json<T>(pub(crate) T);

impl<T: Serialize> Json<T> {
    fn text(&self) -> Result<String, serde_json::Error> {
        serde_json::to_string(&self.0).map(without_nul_escapes)
    }
}

impl<T: Serialize + std::fmt::Debug> ToSql<Doc, Pg> for Json<T> {
    fn to_sql<'b>(&'b self, out: &mut Output<'b, '_, Pg>) -> serialize::Result {
        use std::io::Write as _;
        out.write_all(&[1])?; // the version of jsonb's wire form
        out.write_all(self.text()?.as_bytes())?;
        Ok(IsNull::No)
    }
}

impl<T: DeserializeOwned> FromSql<Doc, Pg> for Json<T> {
    fn from_sql(value: PgValue<'_>) -> deserialize::Result<Self> {
        let text = value.as_bytes().strip_prefix(&[1]).ok_or("unknown wire form of jsonb")?;
        Ok(Self(serde_json::from_slice(text)?))
    }
}

impl<T: Serialize + std::fmt::Debug> ToSql<Doc, Sqlite> for Json<T> {
    fn to_sql<'b>(&'b self, out: &mut Output<'b, '_, Sqlite>) -> serialize::Result {
        out.set_value(self.text()?);
        Ok(IsNull::No)
    }
}

impl<T: DeserializeOwned> FromSql<Doc, Sqlite> for Json<T> {
    fn from_sql(value: SqliteValue<'_, '_, '_>) -> deserialize::Result<Self> {
        let text = <String as FromSql<sql_types::Text, Sqlite>>::from_sql(value)?;
        Ok(Self(serde_json::from_str(&text)?))
    }
}

/// A count as its column holds it. Refuses what a signed 64-bit number cannot.
pub(crate) fn count(value: u64, field: &'static str) -> Result<i64, StoreError> {
    i64::try_from(value).map_err(|_| StoreError::invalid(field, "is too large a number"))
}

/// A span in microseconds, as its column holds it. Longer than 290,000 years is as good as that.
pub(crate) fn micros(span: std::time::Duration) -> i64 {
    i64::try_from(span.as_micros()).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn usd(text: &str) -> Money {
        Money::parse(text).unwrap()
    }

    #[test]
    fn i06_an_amount_is_kept_digit_by_digit_or_refused() {
        let kept = Amount::exact(&usd("9223372.036854775807"), "price").unwrap();
        assert_eq!(kept.money().to_string(), "9223372.036854775807");
        for (amount, why) in [
            ("9223372.036854775808", "price: is beyond 9223372.036854775807 dollars"),
            ("1e30", "price: is beyond 9223372.036854775807 dollars"),
            ("0.0000000000001", "price: has more than 12 digits after the point"),
        ] {
            assert_eq!(Amount::exact(&usd(amount), "price").unwrap_err().to_string(), why, "{amount}");
        }
    }

    #[test]
    fn a_computed_amount_is_rounded_half_up_at_the_thirteenth_digit() {
        let stored = |text| Amount::rounded(&usd(text), "cost").unwrap().money().to_string();
        assert_eq!(stored("0.0000000000015"), "0.000000000002");
        assert_eq!(stored("0.00000000000149"), "0.000000000001");
    }
}
