//! Secrets: what is kept sealed, what is kept as a digest, and the two keys they rest on.
//!
//! The *sealing key*, 32 random bytes, is given or lies in the data directory. What is sealed can be sealed anew, so
//! this key can be changed ([`keyring`]). The *digest key*, 32 random bytes, lies in the database, sealed. Digests
//! cannot be made anew, so it stays ([`digest_key`]). Each use has a key derived from one of them by a label of its own:
//!
//! | derived key | = HMAC-SHA-256(…, label) | used for |
//! |---|---|---|
//! | sealing | sealing key, `pointsman/1/seal` | AES-256-GCM over provider credentials ([`sealing`]) |
//! | key id | sealing key, `pointsman/1/key-id`, first 8 bytes | tells blobs of different sealing keys apart |
//! | api keys | digest key, `pointsman/1/api-keys` | HMAC-SHA-256 digests of api keys ([`digest`]) |
//! | admin token | digest key, `pointsman/1/admin-token` | HMAC-SHA-256 digest of the admin token ([`admin_token`]) |
//! | console sessions | digest key, `pointsman/1/console-sessions` | HMAC-SHA-256 digests of session tokens ([`session_token`]) |
//! | csrf | digest key, `pointsman/1/console-session-csrf` | what a page sends along with a change ([`session_token`]) |
//! | tickets | digest key, `pointsman/1/sign-in-tickets` | marks on tickets, and what a provider is shown ([`ticket`]) |
//!
//! So the database alone is of no use to a thief; and whoever loses the sealing key has to enter
//! credentials again and give out new api keys. Back it up, apart from the database.

pub mod admin_token;
pub mod digest;
pub mod digest_key;
pub mod keyring;
pub mod password;
pub mod sealing;
pub mod sealing_key;
pub mod session_token;
pub mod ticket;
