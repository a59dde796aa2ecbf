//! Passwords of users: kept as Argon2id, which takes memory and time on purpose, since people choose what can
//! be guessed (C-20). Both functions hold their thread for some ten milliseconds.

use argon2::{
    Algorithm, Argon2, Params, Version,
    password_hash::{PasswordHasher as _, PasswordVerifier as _, phc::PasswordHash},
};

/// The fewest characters. Length is what makes a password strong; rules about kinds of characters do not.
pub const FEWEST_CHARS: usize = 12;
/// The most bytes.
pub const MOST_BYTES: usize = 1_024;

/// As OWASP has it: 19 MiB, twice over.
const MEMORY_KIB: u32 = 19 * 1_024;
const ROUNDS: u32 = 2;

/// What stands for the password of somebody who has none: checking it takes as long, and it is nobody's.
pub const NOBODYS: &str =
    "$argon2id$v=19$m=19456,t=2,p=1$RvK2tBbM0xQmJc3uYp1eWg$Q7b0Zk3nYw5tXh1sVd9mLc2pRf6jGa8uEi4oTq0yHxM";

fn argon2() -> Argon2<'static> {
    let params = Params::new(MEMORY_KIB, ROUNDS, 1, None).expect("sound parameters");
    Argon2::new(Algorithm::Argon2id, Version::V0x13, params)
}

/// What of a password is kept, with a salt of its own.
#[must_use]
pub fn hash(password: &str) -> String {
    let hash = argon2().hash_password(password.as_bytes());
    hash.expect("a password has at most 1,024 bytes, and the system has randomness").to_string()
}

/// Whether `password` is the one that was kept. What can't be read is nobody's.
#[must_use]
pub fn is(password: &str, kept: &str) -> bool {
    PasswordHash::new(kept).is_ok_and(|kept| argon2().verify_password(password.as_bytes(), &kept).is_ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn c20_a_password_is_kept_as_argon2id_with_a_salt_of_its_own() {
        let (one, other) = (hash("correct horse battery"), hash("correct horse battery"));
        assert_ne!(one, other);
        assert!(one.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"), "{one}");
        assert!(is("correct horse battery", &one) && is("correct horse battery", &other));
        assert!(!is("correct horse batterY", &one) && !is("", &one) && !is("correct horse battery", ""));
    }

    #[test]
    fn c20_nobodys_password_costs_what_everybodys_costs() {
        let (nobodys, ours) = (PasswordHash::new(NOBODYS).unwrap(), hash("correct horse battery"));
        let ours = PasswordHash::new(&ours).unwrap();
        assert_eq!((nobodys.algorithm, nobodys.version), (ours.algorithm, ours.version));
        assert_eq!(nobodys.params, ours.params);
        assert_eq!(nobodys.hash.map(|hash| hash.len()), ours.hash.map(|hash| hash.len()));
        assert_eq!(nobodys.salt.map(|salt| salt.len()), ours.salt.map(|salt| salt.len()));
    }
}
