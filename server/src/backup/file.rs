//! The file as lines that are packed, hashed and counted on the way, in both directions.

use std::{
    fmt::Write as _,
    fs::File,
    io::{self, BufRead as _, BufReader, BufWriter, ErrorKind, Read as _, Write as _},
    path::Path,
};

use flate2::{Compression, bufread::GzDecoder, write::GzEncoder};
use sha2::{Digest as _, Sha256};
use tempfile::NamedTempFile;

use super::BackupError;

/// Longer than any row of ours: a file that is not whole must not fill the memory.
const LONGEST_LINE: u64 = 64 * 1024 * 1024;

/// A file on its way: under another name until it is whole, and gone if it never is.
pub struct Sink {
    out: GzEncoder<BufWriter<NamedTempFile>>,
    hash: Sha256,
}

impl Sink {
    /// In the folder of the file that it will be, its owner's alone from the first moment.
    pub fn beside(path: &Path) -> io::Result<Self> {
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let draft = tempfile::Builder::new()
            .prefix(&format!(".{name}."))
            .suffix(".partial")
            .tempfile_in(folder(path))?;
        let out = GzEncoder::new(BufWriter::new(draft), Compression::default());
        Ok(Self { out, hash: Sha256::new() })
    }

    pub fn put(&mut self, line: &[u8]) -> io::Result<()> {
        self.hash.update(line);
        self.out.write_all(line)
    }

    /// Of all that was put.
    pub fn sha256(&self) -> String {
        hex(&self.hash.clone().finalize())
    }

    /// Puts it on the disk and gives it its name, unless somebody else has it by now.
    pub fn finish(self, path: &Path) -> io::Result<u64> {
        let draft = self.out.finish()?.into_inner().map_err(io::IntoInnerError::into_error)?;
        draft.as_file().sync_all()?;
        let bytes = draft.as_file().metadata()?.len();
        draft.persist_noclobber(path).map_err(|error| error.error)?;
        File::open(folder(path))?.sync_all()?;
        Ok(bytes)
    }
}

/// A file that is read, line by line.
pub struct Source {
    lines: BufReader<GzDecoder<BufReader<File>>>,
    hash: Sha256,
    file: String,
}

impl Source {
    pub fn open(path: &Path) -> Result<Self, BackupError> {
        let file = path.display().to_string();
        let open = File::open(path).map_err(BackupError::file(&file))?;
        let lines = BufReader::new(GzDecoder::new(BufReader::new(open)));
        Ok(Self { lines, hash: Sha256::new(), file })
    }

    /// The next line, counted into the hash.
    pub fn hashed(&mut self) -> Result<Vec<u8>, BackupError> {
        let line = self.line()?;
        self.hash.update(&line);
        Ok(line)
    }

    /// The next line with its end.
    pub fn line(&mut self) -> Result<Vec<u8>, BackupError> {
        let mut line = Vec::new();
        let read = (&mut self.lines).take(LONGEST_LINE).read_until(b'\n', &mut line);
        read.map_err(|error| self.refused(error))?;
        match line.last() {
            Some(b'\n') => Ok(line),
            _ if line.len() as u64 == LONGEST_LINE => Err(BackupError::Damaged(self.file.clone())),
            _ => Err(BackupError::Truncated(self.file.clone())),
        }
    }

    pub fn sha256(&self) -> String {
        hex(&self.hash.clone().finalize())
    }

    /// Nothing follows, neither packed nor behind it.
    pub fn end(mut self) -> Result<(), BackupError> {
        let mut rest = [0];
        let more = self.lines.read(&mut rest).map_err(|error| self.refused(error))?;
        let behind = self.lines.get_mut().get_mut().read(&mut rest);
        match (more, behind) {
            (0, Ok(0)) => Ok(()),
            _ => Err(BackupError::Damaged(self.file)),
        }
    }

    fn refused(&self, error: io::Error) -> BackupError {
        let file = self.file.clone();
        match error.kind() {
            ErrorKind::UnexpectedEof => BackupError::Truncated(file),
            ErrorKind::InvalidInput | ErrorKind::InvalidData => BackupError::Damaged(file),
            _ => BackupError::File { file, error },
        }
    }
}

/// A path without a folder lies in the current one.
fn folder(path: &Path) -> &Path {
    match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        // Writing into a String cannot fail.
        let _ = write!(text, "{byte:02x}");
        text
    })
}
