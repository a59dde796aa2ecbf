//! Tokens as a provider signs them, and as somebody who is none would.

use std::rc::Rc;

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use ring::{
    hmac,
    rand::SystemRandom,
    signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair as _},
};
use rsa::{
    RsaPrivateKey,
    pkcs1v15::SigningKey,
    rand_core::OsRng,
    sha2::Sha256,
    signature::{SignatureEncoding as _, Signer as _},
    traits::PublicKeyParts as _,
};
use serde_json::{Value, json};

/// A key of its own, made for one test.
pub(super) struct Key {
    pub(super) name: String,
    pair: Pair,
}

enum Pair {
    Ec(Box<EcdsaKeyPair>),
    Rsa(Box<RsaPrivateKey>),
}

/// How a token is signed.
#[derive(Clone)]
pub(super) enum Signer {
    Key(Rc<Key>),
    /// Not at all.
    Nothing,
    /// By a secret that somebody thinks is one.
    Secret(Vec<u8>),
}

/// A token before it is signed.
pub(super) struct Draft {
    pub(super) header: Value,
    pub(super) claims: Value,
    pub(super) signer: Signer,
}

impl Key {
    pub(super) fn ec(name: &str) -> Rc<Self> {
        let (kind, random) = (&ECDSA_P256_SHA256_FIXED_SIGNING, SystemRandom::new());
        let document = EcdsaKeyPair::generate_pkcs8(kind, &random).unwrap();
        let pair = EcdsaKeyPair::from_pkcs8(kind, document.as_ref(), &random).unwrap();
        Rc::new(Self { name: name.to_owned(), pair: Pair::Ec(Box::new(pair)) })
    }

    /// Short, since an unoptimised build takes long to find one.
    pub(super) fn rsa(name: &str) -> Rc<Self> {
        let key = RsaPrivateKey::new(&mut OsRng, 1_024).unwrap();
        Rc::new(Self { name: name.to_owned(), pair: Pair::Rsa(Box::new(key)) })
    }

    /// What everyone may know of it.
    pub(super) fn public(&self) -> Value {
        match &self.pair {
            Pair::Ec(pair) => {
                let (x, y) = pair.public_key().as_ref()[1..].split_at(32);
                json!({"kty": "EC", "crv": "P-256", "use": "sig", "kid": self.name, "x": text(x), "y": text(y)})
            }
            Pair::Rsa(key) => {
                let (n, e) = (text(&key.n().to_bytes_be()), text(&key.e().to_bytes_be()));
                json!({"kty": "RSA", "use": "sig", "alg": "RS256", "kid": self.name, "n": n, "e": e})
            }
        }
    }

    fn algorithm(&self) -> &'static str {
        match self.pair {
            Pair::Ec(_) => "ES256",
            Pair::Rsa(_) => "RS256",
        }
    }

    fn sign(&self, said: &[u8]) -> Vec<u8> {
        match &self.pair {
            Pair::Ec(pair) => pair.sign(&SystemRandom::new(), said).unwrap().as_ref().to_vec(),
            Pair::Rsa(key) => SigningKey::<Sha256>::new(key.as_ref().clone()).sign(said).to_vec(),
        }
    }
}

impl Draft {
    pub(super) fn new(claims: Value, key: Rc<Key>) -> Self {
        let header = json!({"alg": key.algorithm(), "typ": "JWT", "kid": key.name});
        Self { header, claims, signer: Signer::Key(key) }
    }

    pub(super) fn signed(&self) -> String {
        let part = |value: &Value| text(value.to_string().as_bytes());
        let said = format!("{}.{}", part(&self.header), part(&self.claims));
        let signature = match &self.signer {
            Signer::Key(key) => key.sign(said.as_bytes()),
            Signer::Nothing => Vec::new(),
            Signer::Secret(secret) => {
                hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, secret), said.as_bytes()).as_ref().to_vec()
            }
        };
        format!("{said}.{}", text(&signature))
    }
}

pub(super) fn text(bytes: &[u8]) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}
