//! Which ways of signing in there are, for the page that offers them.

use actix_web::web::Data;
use serde::Serialize;

use super::oidc;
use crate::admin::{
    Admin, Answer,
    query::{Listed, Query},
    schema::view,
};

view! {
    /// A way of signing in.
    #[derive(Debug, Serialize)]
    pub(in crate::admin) struct View {
        /// `token`, and a name with the `password` of here or of the directory (`ldap`), are sent to
        /// `/api/v1/auth/login`; for `oidc` the browser goes to `start`.
        way: &'static str,
        /// What the operator calls it.
        label: Option<String>,
        /// Where the browser goes; `return_to` says where it shall come back to.
        start: Option<&'static str>,
    }
}

/// `GET /api/v1/auth/ways`.
pub(in crate::admin) async fn list(admin: Data<Admin>, query: Query) -> Answer {
    query.finish()?;
    let plain = |way| View { way, label: None, start: None };
    let mut ways = vec![plain("token"), plain("password")];
    if let Some(directory) = &admin.directory {
        ways.push(View { way: "ldap", label: Some(directory.settings().label.clone()), start: None });
    }
    if let Some(provider) = &admin.oidc {
        let label = Some(provider.settings().label.clone());
        ways.push(View { way: "oidc", label, start: Some(oidc::START) });
    }
    Listed::whole(ways)
}
