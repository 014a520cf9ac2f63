use std::ffi::OsString;
use std::path::PathBuf;

/// Where the program keeps things between runs (XDG Base Directory Specification 0.8).
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Folders {
    /// `$XDG_CACHE_HOME/seaworthy` or `~/.cache/seaworthy`: may be deleted at any time.
    /// `None` where there is no home to put it in.
    pub cache: Option<PathBuf>,
    /// `$XDG_DATA_HOME/seaworthy` or `~/.local/share/seaworthy`; the database is in `db`
    /// there. `None` where there is no home.
    pub data: Option<PathBuf>,
}

impl Folders {
    /// The folders of this process, by its environment.
    pub fn from_environment() -> Folders {
        Folders::from_variables(|name| std::env::var_os(name))
    }

    /// The same, by any environment. As the specification wants, a relative path in a
    /// variable is as good as none.
    pub fn from_variables(get: impl Fn(&str) -> Option<OsString>) -> Folders {
        let absolute = |name: &str| {
            get(name)
                .map(PathBuf::from)
                .filter(|path| path.is_absolute())
        };
        let home = absolute("HOME");
        let folder = |name: &str, below_home: &str| {
            absolute(name)
                .or_else(|| home.as_ref().map(|home| home.join(below_home)))
                .map(|base| base.join("seaworthy"))
        };
        Folders {
            cache: folder("XDG_CACHE_HOME", ".cache"),
            data: folder("XDG_DATA_HOME", ".local/share"),
        }
    }

    /// Where the advisory database is installed.
    pub fn database(&self) -> Option<PathBuf> {
        self.data.as_ref().map(|data| data.join("db"))
    }

    /// Where malware signatures are installed.
    pub fn signatures(&self) -> Option<PathBuf> {
        self.data.as_ref().map(|data| data.join("signatures"))
    }

    /// The key of fingerprints of secrets.
    pub fn secret_key(&self) -> Option<PathBuf> {
        self.data.as_ref().map(|data| data.join("secret.key"))
    }

    /// Where layer evidence is cached.
    pub fn evidence(&self) -> Option<PathBuf> {
        self.cache.as_ref().map(|cache| cache.join("evidence"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn folders(variables: &[(&str, &str)]) -> Folders {
        Folders::from_variables(|wanted| {
            variables
                .iter()
                .find(|(name, _)| *name == wanted)
                .map(|(_, value)| OsString::from(value))
        })
    }

    #[test]
    fn variables_win_over_home_and_relative_ones_do_not_count() {
        let found = folders(&[("HOME", "/home/a"), ("XDG_CACHE_HOME", "/fast")]);
        assert_eq!(found.evidence(), Some("/fast/seaworthy/evidence".into()));
        assert_eq!(
            found.database(),
            Some("/home/a/.local/share/seaworthy/db".into())
        );
        let relative = folders(&[("HOME", "/home/a"), ("XDG_CACHE_HOME", "fast")]);
        assert_eq!(relative.cache, Some("/home/a/.cache/seaworthy".into()));
    }

    #[test]
    fn without_a_home_there_are_no_folders() {
        assert_eq!(folders(&[]), Folders::default());
    }
}
