//! An operator: asks the control plane of a server that may be dead.

use std::net::SocketAddr;

use serde_json::Value;

use crate::caller::{Answer, Caller};

pub(crate) const ADMIN_TOKEN: &str = "hT7kq2ZwPm4LsVx9";

/// Asks the control plane; none where nobody answers any more.
pub(crate) async fn operate(
    gateway: SocketAddr,
    method: &str,
    path: &str,
    body: Option<Value>,
) -> Option<Answer> {
    let body = body.map(|body| body.to_string()).unwrap_or_default();
    let mut caller = Caller::connect(gateway).await.ok()?;
    let request = format!(
        "{method} /api/v1{path} HTTP/1.1\r\nhost: gateway\r\nauthorization: Bearer {ADMIN_TOKEN}\r\n\
         content-type: application/json\r\ncontent-length: {}\r\n\r\n{body}",
        body.len()
    );
    caller.raw(&request).await.ok()?;
    caller.answer().await.ok()
}
