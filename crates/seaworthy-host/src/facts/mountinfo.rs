//! `/proc/<pid>/mountinfo`: what is mounted where, as the kernel sees it.
//!
//! ```text
//! 36 35 98:0 /mnt1 /mnt2 rw,noatime master:1 - ext3 /dev/root rw,errors=continue
//! (1)(2)(3)   (4)   (5)      (6)      (7)   (8) (9)   (10)         (11)
//! ```
//!
//! `proc_pid_mountinfo(5)`. Space, tab, newline and backslash in names are `\ooo`. The
//! Engine API's `Mounts` list is what was asked for; this is what there is: submounts that
//! stay writable below a read-only bind mount are only here.

use serde::{Deserialize, Serialize};

/// Mounts kept of one namespace; the kernel's own bound is 100,000.
pub const MAX_MOUNTS: usize = 100_000;
/// Bytes of one mount table.
pub const MAX_BYTES: u64 = 32 << 20;

/// One mount.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, Default)]
#[serde(default)]
pub struct Mount {
    /// Unique in its namespace.
    pub id: u64,
    /// The mount it stands on.
    pub parent: u64,
    /// Major and minor number of the file system, `8:1`.
    pub device: String,
    /// The directory of that file system which is mounted.
    pub root: String,
    /// Where, seen from the namespace's root.
    pub point: String,
    /// Options of this mount, `rw,nosuid`.
    pub options: String,
    /// Propagation and other optional fields: `shared:1`, `master:2`.
    pub propagation: Vec<String>,
    /// Kind of file system.
    pub fs_type: String,
    /// What it was mounted from, as its kind of file system tells it.
    pub source: String,
    /// Options of the file system itself.
    pub super_options: String,
}

impl Mount {
    /// Whether this mount can be written through. A file system that is read-only as a
    /// whole makes every mount of it so.
    pub fn is_writable(&self) -> bool {
        self.has_option("rw") && !self.super_options.split(',').any(|option| option == "ro")
    }

    /// Whether the mount has an option.
    pub fn has_option(&self, name: &str) -> bool {
        self.options.split(',').any(|option| option == name)
    }

    /// Whether mounts made here show up elsewhere.
    pub fn is_shared(&self) -> bool {
        self.propagation
            .iter()
            .any(|field| field.starts_with("shared:"))
    }
}

/// Reads a mount table. Lines that don't follow the format are counted in the second value.
pub fn parse(text: &str) -> (Vec<Mount>, usize) {
    let mut mounts = Vec::new();
    let mut broken = 0;
    for line in text.lines() {
        if line.is_empty() {
            continue;
        }
        match parse_line(line) {
            Some(mount) if mounts.len() < MAX_MOUNTS => mounts.push(mount),
            _ => broken += 1,
        }
    }
    (mounts, broken)
}

fn parse_line(line: &str) -> Option<Mount> {
    let mut fields = line.split(' ');
    let id = fields.next()?.parse().ok()?;
    let parent = fields.next()?.parse().ok()?;
    let device = fields.next().filter(|device| device.contains(':'))?;
    let root = unescape(fields.next()?);
    let point = unescape(fields.next()?);
    let options = fields.next()?.to_owned();
    let mut propagation = Vec::new();
    loop {
        match fields.next()? {
            "-" => break,
            field if propagation.len() < 8 => propagation.push(field.to_owned()),
            _ => return None,
        }
    }
    Some(Mount {
        id,
        parent,
        device: device.to_owned(),
        root,
        point,
        options,
        propagation,
        fs_type: fields.next()?.to_owned(),
        source: unescape(fields.next()?),
        super_options: fields.next().unwrap_or_default().to_owned(),
    })
}

/// Undoes the kernel's `\040` for a blank.
fn unescape(field: &str) -> String {
    if !field.contains('\\') {
        return field.to_owned();
    }
    let bytes = field.as_bytes();
    let mut plain = Vec::with_capacity(bytes.len());
    let mut at = 0;
    while let Some(&byte) = bytes.get(at) {
        let octal = bytes
            .get(at + 1..at + 4)
            .filter(|digits| byte == b'\\' && digits.iter().all(|d| (b'0'..b'8').contains(d)));
        match octal {
            Some(digits) => {
                let value = digits
                    .iter()
                    .fold(0_u32, |value, digit| value * 8 + u32::from(digit - b'0'));
                plain.push(u8::try_from(value & 0xff).unwrap_or(b'?'));
                at += 4;
            }
            None => {
                plain.push(byte);
                at += 1;
            }
        }
    }
    String::from_utf8_lossy(&plain).into_owned()
}

/// The mount that a path of the namespace lies on: the longest mount point that leads to
/// it, and of equal ones the last, which covers the others.
pub fn mount_of<'m>(mounts: &'m [Mount], path: &str) -> Option<&'m Mount> {
    mounts
        .iter()
        .enumerate()
        .filter(|(_, mount)| below(path, &mount.point).is_some())
        .max_by_key(|(index, mount)| (mount.point.trim_end_matches('/').len(), *index))
        .map(|(_, mount)| mount)
}

/// The rest of a path below a folder, with its leading slash, or empty for the folder
/// itself; `None` where it is elsewhere.
pub fn below<'p>(path: &'p str, folder: &str) -> Option<&'p str> {
    let folder = folder.trim_end_matches('/');
    let rest = path.strip_prefix(folder)?;
    (rest.is_empty() || rest.starts_with('/')).then_some(if rest == "/" { "" } else { rest })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_and_escapes_follow_the_manual_page() {
        let (mounts, broken) = parse(
            "36 35 98:0 /mnt1 /a\\040b rw,noatime shared:3 master:1 - ext3 /dev/root rw,errors=continue\n\
             37 35 98:0 / /c ro - tmpfs tmpfs rw\nnonsense\n38 x 0:1 / / rw - a b c\n39 1 0:1 / / rw shared:1\n",
        );
        assert_eq!(broken, 3);
        assert_eq!(mounts[0].point, "/a b");
        assert!(mounts[0].is_shared() && mounts[0].is_writable());
        assert!(!mounts[1].is_writable() && mounts[1].propagation.is_empty());
    }

    #[test]
    fn a_file_system_read_only_as_a_whole_is_not_writable() {
        let (mounts, _) = parse("1 0 8:1 / / rw - squashfs /dev/a ro\n");
        assert!(!mounts[0].is_writable());
    }

    #[test]
    fn the_last_of_the_longest_mount_points_covers_a_path() {
        let (mounts, _) = parse(
            "1 0 8:1 / / rw - ext4 a rw\n2 1 8:2 / /run rw - tmpfs b rw\n3 2 8:3 / /run rw - tmpfs c rw\n4 1 8:4 / /runner rw - tmpfs d rw\n",
        );
        assert_eq!(mount_of(&mounts, "/run/docker.sock").unwrap().id, 3);
        assert_eq!(mount_of(&mounts, "/runner").unwrap().id, 4);
        assert_eq!(mount_of(&mounts, "/etc").unwrap().id, 1);
        assert_eq!(below("/run", "/"), Some("/run"));
        assert_eq!(below("/running", "/run"), None);
    }
}
