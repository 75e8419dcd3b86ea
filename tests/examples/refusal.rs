//! A file of `examples/fraud-scoring/refused/`: what it holds, and what its header expects.

use std::path::Path;

use serde_json::Value;

/// The folder, from the top of the repository.
const FOLDER: &str = "examples/fraud-scoring/refused";

/// A file, and what is expected of it.
#[derive(Clone, Debug)]
pub struct Refusal {
    /// The file's name.
    pub name: String,
    /// What its first line expects.
    pub expected: Expected,
    /// Its objects. The last one is what is refused.
    pub documents: Vec<Value>,
    /// Its text.
    #[allow(dead_code, reason = "only one of the two tests that share this file needs it")]
    pub text: String,
}

/// What a file's first line expects.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Expected {
    /// `# refused: <part of the message>`: the API server doesn't store it.
    Refused(String),
    /// `# not-accepted: <Reason>: <part of the message>`: it is stored, and the story's grant, or
    /// the one in the file, gets `Accepted=False`.
    NotAccepted {
        /// The condition's reason.
        reason: String,
        /// A part of its message.
        message: String,
    },
}

impl Refusal {
    /// Every file of the folder, in order.
    pub fn all() -> Vec<Self> {
        // A member of the workspace stands one folder below the top.
        let here = Path::new(env!("CARGO_MANIFEST_DIR"));
        let folder = [here, &here.join("..")].map(|top| top.join(FOLDER));
        let folder = folder.iter().find(|folder| folder.is_dir()).expect("the folder is there");
        let entries = std::fs::read_dir(folder).expect("it can be listed");
        let mut paths: Vec<_> = entries.map(|entry| entry.expect("it can be listed").path()).collect();
        paths.sort();
        paths.iter().map(|path| Self::read(path)).collect()
    }

    fn read(path: &Path) -> Self {
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let text = std::fs::read_to_string(path).expect("it can be read");
        let header = text.lines().next().unwrap_or_default();
        let expected = Expected::parse(header).unwrap_or_else(|| panic!("{name} opens with: {header}"));
        let documents = serde_saphyr::from_multiple(&text).unwrap_or_else(|error| panic!("{name}: {error}"));
        Self { name, expected, documents, text }
    }
}

impl Expected {
    fn parse(header: &str) -> Option<Self> {
        if let Some(message) = header.strip_prefix("# refused: ") {
            return (message.len() > 5).then(|| Self::Refused(message.to_owned()));
        }
        let (reason, message) = header.strip_prefix("# not-accepted: ")?.split_once(": ")?;
        Some(Self::NotAccepted { reason: reason.to_owned(), message: message.to_owned() })
    }
}
