//! The bearer tokens of operators and services: configured, or generated into the data directory once and kept there.
//!
//! A token file is readable by its owner alone. One that others can read is refused, because whoever reads it can sell
//! the whole stock.

use anyhow::{Context, bail, ensure};
use std::fmt;
use std::fs::{File, OpenOptions, Permissions};
use std::io::Write;
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::Path;

/// Fewest characters of a token: below this it can be guessed.
const TOKEN_LEN_MIN: usize = 16;

/// Most characters of a token: it travels in a header.
const TOKEN_LEN_MAX: usize = 512;

/// Random bytes in a generated token.
const TOKEN_BYTES: usize = 32;

/// A text that is never shown.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Secret(String);

impl Secret {
    /// Parses a token: printable characters without blanks, long enough not to be guessed.
    pub(crate) fn parse(text: &str) -> anyhow::Result<Self> {
        ensure!(
            (TOKEN_LEN_MIN..=TOKEN_LEN_MAX).contains(&text.len()),
            "a token has {TOKEN_LEN_MIN} to {TOKEN_LEN_MAX} characters; this one has {}",
            text.len()
        );
        ensure!(text.bytes().all(|byte| byte.is_ascii_graphic()), "a token is made of printable ASCII characters");
        Ok(Self(text.to_owned()))
    }

    /// A new one.
    pub(crate) fn generate() -> anyhow::Result<Self> {
        let mut bytes = [0; TOKEN_BYTES];
        getrandom::fill(&mut bytes).context("the system has no randomness for a token")?;
        Ok(Self(bytes.iter().map(|byte| format!("{byte:02x}")).collect()))
    }

    /// The token itself, for those who must compare or send it.
    pub(crate) fn reveal(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(…)")
    }
}

/// The token in this file; generated if there is none.
pub(crate) fn load_or_generate(path: &Path) -> anyhow::Result<Secret> {
    if path.try_exists().with_context(|| format!("the token file {} cannot be looked at", path.display()))? {
        return load(path);
    }
    let token = Secret::generate()?;
    store(path, &token).with_context(|| format!("the token file {} cannot be written", path.display()))?;
    Ok(token)
}

/// The token in this file.
pub(crate) fn load(path: &Path) -> anyhow::Result<Secret> {
    let shown = path.display();
    let mode = std::fs::metadata(path).with_context(|| format!("no token file {shown}"))?.permissions().mode();
    if mode & 0o077 != 0 {
        bail!(
            "the token file {shown} can be read or changed by others (mode {:04o}). Whoever reads it can act in its \
             name. Run `chmod 600 {shown}`, or delete it to have a new token generated",
            mode & 0o7777
        );
    }
    let text = std::fs::read_to_string(path).with_context(|| format!("the token file {shown} cannot be read"))?;
    Secret::parse(text.trim())
        .with_context(|| format!("the token file {shown} holds no token; delete it to have one generated"))
}

/// Written aside first: a crash leaves no half a token behind.
fn store(path: &Path, token: &Secret) -> std::io::Result<()> {
    let aside = path.with_extension("new");
    let mut file = OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&aside)?;
    // `mode` counts only for a file that did not exist.
    file.set_permissions(Permissions::from_mode(0o600))?;
    writeln!(file, "{}", token.reveal())?;
    file.sync_all()?;
    std::fs::rename(&aside, path)?;
    match path.parent() {
        Some(parent) => File::open(parent)?.sync_all(),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_generated_token_is_kept_and_readable_by_its_owner_alone() {
        let dir = tempfile::tempdir().expect("it works");
        let path = dir.path().join("admin-token");
        let first = load_or_generate(&path).expect("it works");
        assert_eq!(std::fs::metadata(&path).expect("it works").permissions().mode() & 0o777, 0o600);
        assert_eq!(load_or_generate(&path).expect("it works"), first);
        assert_ne!(Secret::generate().expect("it works"), first);
    }

    #[test]
    fn a_token_file_that_others_can_read_is_refused_with_the_remedy() {
        let dir = tempfile::tempdir().expect("it works");
        let path = dir.path().join("admin-token");
        load_or_generate(&path).expect("it works");
        std::fs::set_permissions(&path, Permissions::from_mode(0o640)).expect("it works");
        let error = load_or_generate(&path).expect_err("it is refused").to_string();
        assert!(error.contains("0640") && error.contains("chmod 600"), "{error}");
    }

    #[test]
    fn an_empty_or_short_token_is_refused() {
        let dir = tempfile::tempdir().expect("it works");
        let path = dir.path().join("admin-token");
        for text in ["", "\n", "short\n", "has a blank inside it\n"] {
            std::fs::write(&path, text).expect("it works");
            std::fs::set_permissions(&path, Permissions::from_mode(0o600)).expect("it works");
            assert!(load(&path).is_err(), "{text:?}");
        }
    }

    #[test]
    fn a_secret_does_not_show_itself() {
        let secret = Secret::parse("0123456789abcdef").expect("it works");
        assert!(!format!("{secret:?}").contains("0123"));
    }
}
