//! Google access tokens from authorized-user and service-account credentials.
use std::marker::PhantomData;
/// Placeholder until the token exchange lands.
pub struct Tokens {
    #[expect(dead_code, reason = "used by the exchange")]
    url: String,
    _p: PhantomData<()>,
}
impl Tokens {
    /// New.
    #[must_use]
    pub fn new(url: String) -> Self {
        Self { url, _p: PhantomData }
    }
}
