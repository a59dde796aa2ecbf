//! An OpenID Connect provider on loopback: by itself it does all as it should, and for an attack what a story
//! has it do.

use std::{cell::RefCell, collections::HashMap, rc::Rc};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use chrono::Utc;
use ring::digest::{SHA256, digest};
use serde_json::{Value, json};
use url::{Url, form_urlencoded};

use super::tokens::{Draft, Key, text};
use crate::scripted::{Conn, Request, Upstream};

pub(super) const CLIENT: &str = "gate";
pub(super) const SECRET: &str = "canary-of-the-client";

/// A provider, until dropped.
pub(super) struct Provider {
    upstream: Upstream,
    state: Rc<RefCell<State>>,
}

type Twist = Rc<dyn Fn(&mut Draft)>;

struct State {
    issuer: String,
    key: Rc<Key>,
    /// What it tells of itself besides.
    more: Value,
    codes: HashMap<String, Grant>,
    /// What becomes of a token before it is signed.
    twist: Option<Twist>,
    up: bool,
}

/// What a code is worth.
struct Grant {
    challenge: String,
    redirect: String,
    claims: Value,
}

impl Provider {
    pub(super) async fn start(key: Rc<Key>) -> Self {
        let state = Rc::new(RefCell::new(State {
            issuer: String::new(),
            key,
            more: json!({}),
            codes: HashMap::new(),
            twist: None,
            up: true,
        }));
        let shared = Rc::clone(&state);
        let upstream = Upstream::start(move |mut conn: Conn| {
            let state = Rc::clone(&shared);
            async move {
                while let Some(request) = conn.request().await {
                    let answer = state.borrow_mut().answer(&request);
                    conn.send(answer).await;
                }
            }
        })
        .await;
        state.borrow_mut().issuer = format!("http://{}", upstream.address);
        Self { upstream, state }
    }

    pub(super) fn issuer(&self) -> String {
        self.state.borrow().issuer.clone()
    }

    /// What sets a house up for it, with `more`.
    pub(super) fn settings<'a>(&self, more: &[(&'a str, &'a str)]) -> Vec<(&'a str, String)> {
        let mut set = vec![
            ("OIDC_ISSUER", self.issuer()),
            ("OIDC_CLIENT_ID", CLIENT.to_owned()),
            ("OIDC_CLIENT_SECRET", SECRET.to_owned()),
            ("OIDC_PUBLIC_URL", "https://gate.example".to_owned()),
        ];
        set.extend(more.iter().map(|(name, value)| (*name, (*value).to_owned())));
        set
    }

    /// Somebody signs in at the address that a browser was sent to; where it is sent back to.
    pub(super) fn signs_in(&self, address: &Url, claims: Value) -> String {
        let asked: HashMap<_, _> = address.query_pairs().into_owned().collect();
        assert_eq!(address.path(), "/authorize");
        let mut state = self.state.borrow_mut();
        let code = format!("canary-code-{}", state.codes.len());
        let now = Utc::now().timestamp();
        let mut all = json!({
            "iss": state.issuer, "aud": CLIENT, "iat": now, "exp": now + 300, "nonce": asked["nonce"],
        });
        all.as_object_mut().unwrap().extend(claims.as_object().unwrap().clone());
        let (challenge, redirect) = (asked["code_challenge"].clone(), asked["redirect_uri"].clone());
        let redirect_path = Url::parse(&redirect).unwrap().path().to_owned();
        state.codes.insert(code.clone(), Grant { challenge, redirect, claims: all });
        let issuer = form_urlencoded::byte_serialize(state.issuer.as_bytes()).collect::<String>();
        format!("{redirect_path}?code={code}&state={}&iss={issuer}&session_state=theirs", asked["state"])
    }

    /// From now on this becomes of each token.
    pub(super) fn twist(&self, twist: impl Fn(&mut Draft) + 'static) {
        self.state.borrow_mut().twist = Some(Rc::new(twist));
    }

    /// From now on it signs with this one, and tells of no other.
    pub(super) fn rotate(&self, key: Rc<Key>) {
        self.state.borrow_mut().key = key;
    }

    /// Tells more of itself.
    pub(super) fn tell(&self, more: Value) {
        self.state.borrow_mut().more = more;
    }

    pub(super) fn set_up(&self, up: bool) {
        self.state.borrow_mut().up = up;
    }

    /// How often it was asked something.
    pub(super) fn asked(&self, path: &str) -> usize {
        let requests = self.upstream.requests();
        requests.iter().filter(|request| request.line().split(' ').nth(1) == Some(path)).count()
    }
}

impl State {
    fn answer(&mut self, request: &Request) -> String {
        let path = request.line().split(' ').nth(1).unwrap().to_owned();
        let (status, body) = match path.as_str() {
            _ if !self.up => ("503 Service Unavailable", json!({})),
            "/.well-known/openid-configuration" => ("200 OK", self.configuration()),
            "/keys" => ("200 OK", json!({"keys": [self.key.public()]})),
            "/token" => self.redeem(request),
            other => panic!("nobody should ask for {other}"),
        };
        let body = body.to_string();
        let length = body.len();
        format!(
            "HTTP/1.1 {status}\r\ncontent-type: application/json\r\ncontent-length: {length}\r\n\r\n{body}"
        )
    }

    fn configuration(&self) -> Value {
        let issuer = &self.issuer;
        let mut told = json!({
            "issuer": issuer,
            "authorization_endpoint": format!("{issuer}/authorize"),
            "token_endpoint": format!("{issuer}/token"),
            "jwks_uri": format!("{issuer}/keys"),
            "response_types_supported": ["code"],
            "subject_types_supported": ["public"],
            "id_token_signing_alg_values_supported": ["RS256", "ES256"],
        });
        told.as_object_mut().unwrap().extend(self.more.as_object().unwrap().clone());
        told
    }

    /// A code is worth a token once, and only to who asked for it.
    fn redeem(&mut self, request: &Request) -> (&'static str, Value) {
        let refused = |why: &str| ("400 Bad Request", json!({"error": why}));
        let basic = format!("Basic {}", STANDARD.encode(format!("{CLIENT}:{SECRET}")));
        if request.header("authorization") != Some(&basic) {
            return refused("invalid_client");
        }
        let form: HashMap<_, _> = form_urlencoded::parse(&request.body).into_owned().collect();
        let Some(grant) = self.codes.get_mut(&form["code"]) else { return refused("invalid_grant") };
        let challenge = text(digest(&SHA256, form["code_verifier"].as_bytes()).as_ref());
        if grant.challenge != challenge || grant.redirect != form["redirect_uri"] {
            return refused("invalid_grant");
        }
        grant.challenge = "spent".to_owned();
        let mut draft = Draft::new(grant.claims.clone(), Rc::clone(&self.key));
        if let Some(twist) = &self.twist {
            twist(&mut draft);
        }
        let token = draft.signed();
        ("200 OK", json!({"access_token": "canary-access", "token_type": "Bearer", "id_token": token}))
    }
}
