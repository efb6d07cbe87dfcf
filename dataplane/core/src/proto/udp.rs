//! UDP has one state, which is never active (reference 3.6).

/// Its name in listings.
pub(crate) const NAME: &str = "UDP";
