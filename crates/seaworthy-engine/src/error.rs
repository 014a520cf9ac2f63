use std::error::Error;

/// Why there is no report at all. Whatever is less than that is in the report.
#[derive(Debug, thiserror::Error)]
pub enum EngineError {
    /// The user asked to stop.
    #[error("cancelled")]
    Cancelled,
    /// The image could not be opened.
    #[error("{0}")]
    Image(seaworthy_image::ImageError),
    /// The advisory database could not be used.
    #[error("{message}")]
    Database {
        /// What was tried, on what.
        message: String,
        /// What to do.
        hint: String,
        /// What the database said.
        #[source]
        source: Option<Box<dyn Error + Send + Sync>>,
    },
    /// Malware signatures could not be used.
    #[error("{message}")]
    Signatures {
        /// What was tried, on what.
        message: String,
        /// What to do.
        hint: String,
        /// What was said.
        #[source]
        source: Option<Box<dyn Error + Send + Sync>>,
    },
    /// Secrets could not be looked for.
    #[error("{message}")]
    Secrets {
        /// What was tried.
        message: String,
        /// What was said.
        #[source]
        source: Box<dyn Error + Send + Sync>,
    },
    /// The layers could not be examined.
    #[error("cannot examine the image")]
    Scan(#[source] seaworthy_image::LayerError),
}

impl EngineError {
    /// What the user can do about it.
    pub fn hint(&self) -> Option<&str> {
        match self {
            EngineError::Image(error) => error.hint.as_deref(),
            EngineError::Database { hint, .. } | EngineError::Signatures { hint, .. } => Some(hint),
            EngineError::Cancelled | EngineError::Secrets { .. } | EngineError::Scan(_) => None,
        }
    }

    /// What lies behind it, for messages that print the whole chain.
    pub fn cause(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            EngineError::Image(error) => error.source(),
            other => other.source(),
        }
    }
}

impl From<seaworthy_image::LayerError> for EngineError {
    fn from(error: seaworthy_image::LayerError) -> EngineError {
        match error {
            seaworthy_image::LayerError::Cancelled => EngineError::Cancelled,
            error => EngineError::Scan(error),
        }
    }
}
