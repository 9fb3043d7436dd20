//! Why a passkey is not taken.

/// What is wrong with a registration or a signature. None of it says anything secret.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Fault {
    /// Bytes that do not read as what they should be.
    #[error("the {0} does not read as what it should be")]
    Malformed(&'static str),
    /// A registration where a signature is wanted, or the other way round (7.1 step 7, 7.2 step 11).
    #[error("it is of another ceremony: `type` is not `{0}`")]
    Type(&'static str),
    /// Another challenge (7.1 step 8, 7.2 step 12).
    #[error("it answers another challenge than the one that was given")]
    Challenge,
    /// Another page (7.1 step 9, 7.2 step 13).
    #[error("it was made on another page than one of this plane (`origin`)")]
    Origin,
    /// Inside somebody else's page (7.1 steps 10 and 11, 7.2 steps 14 and 15).
    #[error("it was made inside another site's page (`crossOrigin`)")]
    CrossOrigin,
    /// For another host (7.1 step 14, 7.2 step 16).
    #[error("it is for another host than this plane (`rpIdHash`)")]
    Party,
    /// Nobody touched it (7.1 step 15, 7.2 step 17).
    #[error("the authenticator does not say that anybody was there (UP)")]
    NobodyThere,
    /// Nobody proved to it who they are (7.1 step 16, 7.2 step 18).
    #[error("the authenticator did not make sure who was there (UV): use one with a PIN, finger or face")]
    NotVerified,
    /// Flags that contradict each other (7.1 steps 17 and 18, 7.2 step 19).
    #[error("the authenticator says it is backed up, and that it cannot be")]
    BackupFlags,
    /// No key comes with a registration.
    #[error("the authenticator gave no new key")]
    NoKey,
    /// An algorithm nobody asked for (7.1 step 20).
    #[error("the key is of a kind that is not used here (ES256, EdDSA and RS256 are)")]
    Algorithm,
    /// Longer than any (7.1 step 25).
    #[error("the credential's id is empty or longer than 1,023 bytes")]
    IdLength,
    /// The answer names another credential than the one inside.
    #[error("the answer names another credential than the one that was made")]
    IdDiffers,
    /// Not what was signed (7.2 step 21).
    #[error("the signature is not by this passkey over these bytes")]
    Signature,
    /// It counted backwards (7.2 step 22): there may be a copy.
    #[error("the passkey counted backwards, from {kept} to {shown}: there may be a copy of it")]
    Counter {
        /// What it stood at.
        kept: u32,
        /// What was shown.
        shown: u32,
    },
}
