//! `route`: the decision that would be made.

use awc::http::Method;
use bytes::Bytes;
use clap::Subcommand;
use serde_json::{Value, json};

use super::{desk::Desk, exit::Done, fields::given, remote::Remote};

/// The decision that would be made.
#[derive(Debug, Subcommand)]
pub(super) enum Route {
    /// Ask the very code that decides; nothing is sent to any provider.
    Simulate {
        /// The API: anthropic, openai_chat, openai_responses or gemini.
        #[arg(long)]
        format: String,
        /// The model.
        #[arg(long)]
        model: String,
        /// The caller's key: id, or USER/KEY.
        #[arg(long)]
        key: String,
        /// A conversation: its id, or the name the client gives it.
        #[arg(long)]
        session: Option<String>,
        /// How the client names itself, as in claude-cli/2.1; without it, rules about clients are left out.
        #[arg(long)]
        user_agent: Option<String>,
        /// generate (unless given), count_tokens, embed or compact.
        #[arg(long)]
        operation: Option<String>,
    },
}

impl Route {
    pub(super) async fn run(self, remote: &Remote) -> Done {
        let desk = Desk::open(remote)?;
        let Self::Simulate { format, model, key, session, user_agent, operation } = self;
        let mut body = json!({ "format": format, "model": model, "key_id": desk.key(&key).await? });
        let more = [("session", session), ("user_agent", user_agent), ("operation", operation)];
        for (name, value) in given(more.map(|(name, value)| (name, value.map(Value::from)))) {
            body[name] = value;
        }
        desk.change(Method::POST, "/route/simulate", Bytes::from(body.to_string()), "/chosen").await
    }
}
