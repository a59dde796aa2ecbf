//! The provider: what it tells of itself, and what it says of somebody who comes back from it.
//!
//! What it tells of itself is kept for a while. Nothing is asked at the start of the house: a provider that is
//! away keeps nobody from starting it. Its keys are read again once a token names one that is not known.

use std::sync::Arc;

use chrono::{DateTime, TimeDelta, Utc};
use openidconnect::{
    AdditionalProviderMetadata, AuthType, AuthenticationFlow, AuthorizationCode, ClaimsVerificationError,
    ClientId, ClientSecret, CsrfToken, EndpointMaybeSet, EndpointNotSet, EndpointSet, IssuerUrl, Nonce,
    PkceCodeChallenge, PkceCodeVerifier, ProviderMetadata, RedirectUrl, RequestTokenError, Scope,
    SignatureVerificationError, TokenResponse as _,
    core::{
        CoreAuthDisplay, CoreClaimName, CoreClaimType, CoreClient, CoreClientAuthMethod, CoreGrantType,
        CoreIdToken, CoreIdTokenVerifier, CoreJsonWebKey, CoreJsonWebKeySet,
        CoreJweContentEncryptionAlgorithm, CoreJweKeyManagementAlgorithm, CoreJwsSigningAlgorithm,
        CoreResponseMode, CoreResponseType, CoreSubjectIdentifierType,
    },
};
use serde::{Deserialize, Serialize};
use tokio::sync::Mutex;
use url::Url;

use super::{
    door::{Door, fault},
    person::Claims,
};
use crate::{config::oidc::OidcSettings, upstream};

/// How long is believed what it tells of itself.
const KEPT: TimeDelta = TimeDelta::minutes(10);
/// How long it is left alone after it did not answer, and after its keys were read again.
const PAUSE: TimeDelta = TimeDelta::seconds(10);

/// What a token may be signed with: by keys that only the provider has. `none` and whatever rests on a shared
/// secret is not among it.
const ALGORITHMS: [CoreJwsSigningAlgorithm; 9] = [
    CoreJwsSigningAlgorithm::RsaSsaPkcs1V15Sha256,
    CoreJwsSigningAlgorithm::RsaSsaPkcs1V15Sha384,
    CoreJwsSigningAlgorithm::RsaSsaPkcs1V15Sha512,
    CoreJwsSigningAlgorithm::RsaSsaPssSha256,
    CoreJwsSigningAlgorithm::RsaSsaPssSha384,
    CoreJwsSigningAlgorithm::RsaSsaPssSha512,
    CoreJwsSigningAlgorithm::EcdsaP256Sha256,
    CoreJwsSigningAlgorithm::EcdsaP384Sha384,
    CoreJwsSigningAlgorithm::EdDsa,
];

/// What is told beyond the specification's own.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct More {
    /// Whether every answer names the provider (RFC 9207).
    #[serde(default)]
    authorization_response_iss_parameter_supported: bool,
}

impl AdditionalProviderMetadata for More {}

type Metadata = ProviderMetadata<
    More,
    CoreAuthDisplay,
    CoreClientAuthMethod,
    CoreClaimName,
    CoreClaimType,
    CoreGrantType,
    CoreJweContentEncryptionAlgorithm,
    CoreJweKeyManagementAlgorithm,
    CoreJsonWebKey,
    CoreResponseMode,
    CoreResponseType,
    CoreSubjectIdentifierType,
>;

type Client = CoreClient<
    EndpointSet,
    EndpointNotSet,
    EndpointNotSet,
    EndpointNotSet,
    EndpointMaybeSet,
    EndpointMaybeSet,
>;

/// Why the provider does not help.
#[derive(Debug, thiserror::Error)]
pub(in crate::admin) enum Fault {
    /// It does not answer, or not as it should.
    #[error("the provider {0}")]
    Provider(String),
    /// It does not take the code.
    #[error("the provider refused the code: {0}")]
    Code(String),
    /// What it says of somebody does not count.
    #[error("the token does not count: {0}")]
    Token(&'static str),
}

/// What is shown to the provider of one sign-in.
pub(super) struct Shown {
    pub(super) state: String,
    pub(super) nonce: String,
    pub(super) verifier: String,
}

/// Signing in at a provider.
pub struct Provider {
    settings: OidcSettings,
    redirect: RedirectUrl,
    door: Door,
    known: Mutex<Known>,
}

/// What is known of it.
#[derive(Default)]
struct Known {
    facts: Option<(Arc<Facts>, DateTime<Utc>)>,
    failed: Option<DateTime<Utc>>,
    keys_read_again: Option<DateTime<Utc>>,
}

/// What it tells of itself.
struct Facts {
    metadata: Metadata,
    keys: CoreJsonWebKeySet,
}

impl Provider {
    /// The provider of these settings.
    #[must_use]
    pub fn new(settings: OidcSettings, upstream: &upstream::Settings) -> Self {
        let mut redirect = settings.public_url.clone();
        redirect.set_path(super::CALLBACK);
        let door = Door::new(upstream, &settings);
        Self { redirect: RedirectUrl::from_url(redirect), door, settings, known: Mutex::default() }
    }

    /// What it calls itself.
    #[must_use]
    pub fn issuer(&self) -> &str {
        &self.settings.issuer
    }

    /// How it is set up.
    pub(in crate::admin) const fn settings(&self) -> &OidcSettings {
        &self.settings
    }

    /// Whether it answers as it should.
    ///
    /// # Errors
    /// Says what is wrong, without secrets.
    pub async fn look(&self) -> Result<(), String> {
        self.discover().await.map(|_| ()).map_err(|fault| fault.to_string())
    }

    /// Where a browser goes to sign in.
    pub(super) async fn address(&self, shown: Shown, now: DateTime<Utc>) -> Result<Url, Fault> {
        let facts = self.facts(now).await?;
        let Shown { state, nonce, verifier } = shown;
        let flow = AuthenticationFlow::<CoreResponseType>::AuthorizationCode;
        let challenge = PkceCodeChallenge::from_code_verifier_sha256(&PkceCodeVerifier::new(verifier));
        let client = self.client(&facts);
        let request = client
            .authorize_url(flow, || CsrfToken::new(state), || Nonce::new(nonce))
            .add_scopes(self.settings.scopes.iter().cloned().map(Scope::new))
            .set_pkce_challenge(challenge);
        Ok(request.url().0)
    }

    /// Whether an answer that names this issuer, or none, is the provider's. Another provider's must not be
    /// taken for it (mix-up).
    pub(super) async fn is_its(&self, issuer: Option<&str>, now: DateTime<Utc>) -> Result<bool, Fault> {
        Ok(match issuer {
            Some(issuer) => issuer == self.issuer(),
            None => {
                let facts = self.facts(now).await?;
                !facts.metadata.additional_metadata().authorization_response_iss_parameter_supported
            }
        })
    }

    /// What it says of whoever came back with a code.
    pub(super) async fn redeem(
        &self,
        code: String,
        shown: Shown,
        now: DateTime<Utc>,
    ) -> Result<Claims, Fault> {
        let facts = self.facts(now).await?;
        let client = self.client(&facts);
        let request = client
            .exchange_code(AuthorizationCode::new(code))
            .map_err(|_| Fault::Provider("names no place for codes".to_owned()))?
            .set_pkce_verifier(PkceCodeVerifier::new(shown.verifier));
        let answer = request.request_async(&self.door).await.map_err(|error| match error {
            RequestTokenError::ServerResponse(said) => Fault::Code(word(said.error().as_ref())),
            RequestTokenError::Request(fault) => Fault::Provider(format!("can't be asked: {fault}")),
            RequestTokenError::Parse(..) | RequestTokenError::Other(_) => senseless(),
        })?;
        let token = answer.id_token().ok_or(Fault::Token("there is none"))?;
        let nonce = Nonce::new(shown.nonce);
        let mut verdict = self.verify(&facts, token, &nonce, now);
        if let Err(ClaimsVerificationError::SignatureVerification(SignatureVerificationError::NoMatchingKey)) =
            verdict
            && let Some(newer) = self.with_newer_keys(now).await?
        {
            verdict = self.verify(&newer, token, &nonce, now);
        }
        verdict.map_err(|error| Fault::Token(reason(&error)))?;
        Claims::of(token).ok_or_else(senseless)
    }

    /// Whether a token is the provider's, for us, for this sign-in, and not over.
    fn verify(
        &self,
        facts: &Facts,
        token: &CoreIdToken,
        nonce: &Nonce,
        now: DateTime<Utc>,
    ) -> Result<(), ClaimsVerificationError> {
        let client = ClientId::new(self.settings.client_id.clone());
        let verifier = CoreIdTokenVerifier::new_public_client(
            client.clone(),
            facts.metadata.issuer().clone(),
            facts.keys.clone(),
        );
        let verifier = verifier.set_allowed_algs(ALGORITHMS).set_time_fn(move || now);
        let claims = token.claims(&verifier, nonce)?;
        // The crate leaves this one to us.
        match claims.authorized_party() {
            Some(party) if *party != client => {
                Err(ClaimsVerificationError::InvalidAudience("another party's".to_owned()))
            }
            _ => Ok(()),
        }
    }

    fn client(&self, facts: &Facts) -> Client {
        let secret = self.settings.client_secret.as_ref();
        let secret = secret.map(|secret| ClientSecret::new(secret.reveal().to_owned()));
        let id = ClientId::new(self.settings.client_id.clone());
        let client = Client::from_provider_metadata(facts.metadata.clone(), id, secret)
            .set_redirect_uri(self.redirect.clone());
        let ways = facts.metadata.token_endpoint_auth_methods_supported();
        let takes = |way| ways.is_some_and(|ways| ways.contains(&way));
        let only_posted =
            takes(CoreClientAuthMethod::ClientSecretPost) && !takes(CoreClientAuthMethod::ClientSecretBasic);
        if only_posted { client.set_auth_type(AuthType::RequestBody) } else { client }
    }

    /// What it tells of itself, as known or asked for now. Whoever comes while somebody asks waits for that
    /// answer.
    async fn facts(&self, now: DateTime<Utc>) -> Result<Arc<Facts>, Fault> {
        let mut known = self.known.lock().await;
        if let Some((facts, since)) = &known.facts
            && now - *since < KEPT
        {
            return Ok(Arc::clone(facts));
        }
        if known.failed.is_some_and(|failed| now - failed < PAUSE) {
            return Err(Fault::Provider("did not answer a moment ago".to_owned()));
        }
        match self.discover().await {
            Ok(facts) => {
                let facts = Arc::new(facts);
                known.facts = Some((Arc::clone(&facts), now));
                Ok(facts)
            }
            Err(why) => {
                known.failed = Some(now);
                Err(why)
            }
        }
    }

    /// The same with its keys read again; none where they were a moment ago.
    async fn with_newer_keys(&self, now: DateTime<Utc>) -> Result<Option<Arc<Facts>>, Fault> {
        let mut known = self.known.lock().await;
        let Some((facts, since)) = known.facts.clone() else { return Ok(None) };
        if known.keys_read_again.is_some_and(|again| now - again < PAUSE) {
            return Ok(None);
        }
        known.keys_read_again = Some(now);
        let read = CoreJsonWebKeySet::fetch_async(facts.metadata.jwks_uri(), &self.door).await;
        let keys = read.map_err(|error| fault(&error))?;
        let newer = Arc::new(Facts { metadata: facts.metadata.clone(), keys });
        known.facts = Some((Arc::clone(&newer), since));
        Ok(Some(newer))
    }

    async fn discover(&self) -> Result<Facts, Fault> {
        let issuer = IssuerUrl::new(self.settings.issuer.clone()).map_err(|_| senseless())?;
        let metadata = Metadata::discover_async(issuer, &self.door).await;
        let metadata = metadata.map_err(|error| fault(&error))?;
        let keys = metadata.jwks().clone();
        Ok(Facts { metadata, keys })
    }
}

fn senseless() -> Fault {
    Fault::Provider("answers what makes no sense".to_owned())
}

/// One word of the provider's, fit for the log.
fn word(said: &str) -> String {
    said.chars().filter(|letter| letter.is_ascii_alphanumeric() || *letter == '_').take(64).collect()
}

/// Why a token does not count, without what it holds.
fn reason(error: &ClaimsVerificationError) -> &'static str {
    match error {
        ClaimsVerificationError::Expired(_) => "it is over",
        ClaimsVerificationError::InvalidAudience(_) => "it is for somebody else",
        ClaimsVerificationError::InvalidIssuer(_) => "it is another provider's",
        ClaimsVerificationError::InvalidNonce(_) => "it belongs to another sign-in",
        ClaimsVerificationError::SignatureVerification(_) => "it is not signed by a key of the provider",
        _ => "it is of a kind that is not taken",
    }
}
