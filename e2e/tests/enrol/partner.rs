//! The partner's side: OpenSSL makes the key and the request, curl sends it. Nothing of Comity's is used.

use std::io::Write as _;
use std::net::Ipv4Addr;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::sync::atomic::{AtomicU8, Ordering};

use comity::pki::Token;
use e2e::{Error, Explain as _, Result};
use serde_json::Value;

/// A partner's machine.
pub struct Partner {
    directory: tempfile::TempDir,
    port: u16,
    address: Ipv4Addr,
}

/// What came back.
#[derive(Debug)]
pub struct Answer {
    /// The HTTP status; 0: none came.
    pub status: u16,
    /// What was said.
    pub body: Value,
}

impl Answer {
    /// Fails unless this is what was answered.
    pub fn is(&self, status: u16, reason: &str) -> Result<()> {
        let said = self.body["reason"].as_str().unwrap_or_default();
        if self.status == status && said == reason {
            return Ok(());
        }
        Err(Error::Failed(format!("not {status} {reason}, but {self:?}")))
    }

    /// The certificate, where one was given.
    pub fn certificate(&self) -> Result<String> {
        let certificate = self.body["certificate"].as_str().filter(|_| self.status == 201);
        certificate.map(str::to_owned).ok_or_else(|| Error::Failed(format!("{self:?}")))
    }
}

/// The end of the next partner's address.
static NEXT: AtomicU8 = AtomicU8::new(10);

impl Partner {
    /// A machine that believes this anchor.
    pub fn new(port: u16, anchor: &str) -> Result<Self> {
        let directory = tempfile::tempdir().explain("make a directory")?;
        std::fs::write(directory.path().join("ca.crt"), anchor)?;
        // Each has an address of their own, as partners have: what one uses up is none of the others'.
        let address = Ipv4Addr::new(127, 0, 0, NEXT.fetch_add(1, Ordering::Relaxed));
        std::fs::write(directory.path().join(".curlrc"), format!("interface = \"{address}\"\n"))?;
        Ok(Self { directory, port, address })
    }

    /// Where its files are.
    pub fn directory(&self) -> &Path {
        self.directory.path()
    }

    /// A new key and a request for it, as files `<name>.key` and `<name>.pem`; the latter.
    pub async fn request(&self, name: &str) -> Result<PathBuf> {
        let file = |end: &str| self.directory.path().join(format!("{name}.{end}"));
        let (key, request) = (file("key"), file("pem"));
        let mut made = Command::new("openssl");
        made.args(["genpkey", "-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256", "-out"]).arg(&key);
        ran(made, None).await?;
        let mut asked = Command::new("openssl");
        asked.args(["req", "-new", "-subj", "/", "-key"]).arg(&key).arg("-out").arg(&request);
        ran(asked, None).await?;
        Ok(request)
    }

    /// Shows a token, if any, and sends a request for a certificate.
    pub async fn enrols(&self, path: &str, token: Option<&Token>, request: &Path) -> Result<Answer> {
        let more = ["--data-binary".to_owned(), format!("@{}", request.display())];
        self.asks(path, token, &more).await
    }

    /// Enrols under this name by a token, and keeps what it got as a file `<name>.crt`.
    pub async fn enrolled(&self, path: &str, token: &Token, name: &str) -> Result<Answer> {
        let request = self.request(name).await?;
        let answer = self.enrols(path, Some(token), &request).await?;
        std::fs::write(self.directory().join(format!("{name}.crt")), answer.certificate()?)?;
        Ok(answer)
    }

    /// Shows the certificate `<name>.crt`, and sends a request for another one, if any.
    pub async fn shows(&self, path: &str, name: &str, request: Option<&Path>) -> Result<Answer> {
        let file = |end: &str| self.directory().join(format!("{name}.{end}")).display().to_string();
        let mut more = vec!["--cert".to_owned(), file("crt"), "--key".to_owned(), file("key")];
        if let Some(request) = request {
            more.extend(["--data-binary".to_owned(), format!("@{}", request.display())]);
        }
        self.asks(path, None, &more).await
    }

    /// Asks by curl, with these further arguments.
    pub async fn asks(&self, path: &str, token: Option<&Token>, more: &[String]) -> Result<Answer> {
        let mut curl = Command::new("curl");
        curl.arg("--interface").arg(self.address.to_string());
        curl.args(["--silent", "--show-error", "--max-time", "30", "--write-out", "\n%{http_code}"]);
        curl.arg("--cacert").arg(self.directory.path().join("ca.crt")).args(["--header", "@-"]).args(more);
        curl.arg(format!("https://localhost:{}{path}", self.port));
        let header = token.map(|token| format!("Authorization: Bearer {}\n", token.reveal()));
        let output = spawned(curl, Some(header.unwrap_or_default())).await?;
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        let (body, status) = text.rsplit_once('\n').unwrap_or(("", "0"));
        let status = status.trim().parse().unwrap_or(0);
        Ok(Answer { status, body: serde_json::from_str(body).unwrap_or_default() })
    }

    /// Runs a script of the shell's in its directory, which reads this.
    pub async fn runs(&self, script: &str, reads: &str) -> Result<String> {
        let mut shell = Command::new("bash");
        shell.args(["-euo", "pipefail", "-c", script]).current_dir(self.directory.path());
        shell.env("HOME", self.directory.path());
        ran(shell, Some(reads.to_owned())).await
    }
}

/// Runs a command that has to succeed; what it printed.
pub async fn ran(command: Command, reads: Option<String>) -> Result<String> {
    let told = format!("{command:?}");
    let output = spawned(command, reads).await?;
    if output.status.success() {
        return Ok(String::from_utf8_lossy(&output.stdout).into_owned());
    }
    let said = [output.stdout, output.stderr].concat();
    Err(Error::Failed(format!("{told}: {}", String::from_utf8_lossy(&said))))
}

async fn spawned(mut command: Command, reads: Option<String>) -> Result<Output> {
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let work = move || -> std::io::Result<Output> {
        let mut child = command.spawn()?;
        if let (Some(mut to), Some(reads)) = (child.stdin.take(), reads) {
            to.write_all(reads.as_bytes())?;
        }
        child.wait_with_output()
    };
    let output = tokio::task::spawn_blocking(work).await.explain("run a command")?;
    output.explain("run openssl, curl or bash: these stories need them")
}
