//! Sets a fresh gateway up for the load, through its documented admin API.

use anyhow::{Context as _, Result, ensure};
use serde_json::{Value, json};
use tokio::net::TcpStream;

use crate::wire::Wire;

/// Makes a provider, a price, a user and a key; answers the key.
pub(crate) async fn gateway(address: &str, admin_token: &str, upstream: &str) -> Result<String> {
    let mut api = Api { wire: Wire::new(TcpStream::connect(address).await?)?, address, admin_token };
    api.call(
        "PUT /api/v1/prices/bench-model",
        &json!({
            "input_usd_per_mtok": "3", "output_usd_per_mtok": "15", "cache_write_5m_usd_per_mtok": "3.75",
            "cache_write_1h_usd_per_mtok": "6", "cache_read_usd_per_mtok": "0.3"
        }),
    )
    .await?;
    api.call(
        "POST /api/v1/providers",
        &json!({
            "name": "bench", "kind": "claude", "base_url": format!("http://{upstream}"),
            "credential": "sk-bench-upstream", "allow_private_network": true
        }),
    )
    .await?;
    let user = api.call("POST /api/v1/users", &json!({ "name": "bench" })).await?;
    let id = user["id"].as_i64().context("a user without an id")?;
    let key = api.call(&format!("POST /api/v1/users/{id}/keys"), &json!({ "name": "bench" })).await?;
    Ok(key["key"].as_str().context("a key that is not shown")?.to_owned())
}

struct Api<'a> {
    wire: Wire,
    address: &'a str,
    admin_token: &'a str,
}

impl Api<'_> {
    async fn call(&mut self, what: &str, body: &Value) -> Result<Value> {
        let (address, admin_token, body) = (self.address, self.admin_token, body.to_string());
        let request = format!(
            "{what} HTTP/1.1\r\nhost: {address}\r\nauthorization: Bearer {admin_token}\r\n\
             content-type: application/json\r\ncontent-length: {}\r\n\r\n{body}",
            body.len()
        );
        self.wire.send(request.as_bytes()).await?;
        let head = self.wire.head().await?.with_context(|| format!("{what}: closed without an answer"))?;
        let status = head.status;
        let mut answer = Vec::new();
        self.wire.body(head.framing, |bytes| answer.extend_from_slice(bytes)).await?;
        let text = String::from_utf8_lossy(&answer);
        ensure!((200..300).contains(&status), "{what}: status {status}: {text}");
        serde_json::from_str(&text).with_context(|| format!("{what}: not JSON: {text}"))
    }
}
