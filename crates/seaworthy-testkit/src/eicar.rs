//! The EICAR test file: 68 harmless bytes that every scanner of malware reports by agreement
//! (eicar.org). Kept encoded, so that no scanner reports this repository.

/// The bytes of the test file, each moved by one.
const MOVED: &[u8; 68] = b"Y6P\"Q&ABQ\\5]Q[Y65)Q_*8DD*8~%FJDBS.TUBOEBSE.BOUJWJSVT.UFTU.GJMF\"%I,I+";

/// The test file.
pub fn eicar() -> Vec<u8> {
    MOVED.iter().map(|byte| byte - 1).collect()
}

/// Signature files that know the test file by a body signature, at its start as ClamAV's own:
/// name and content.
pub const EICAR_SIGNATURES: (&str, &str) = (
    "eicar.ndb",
    "Eicar-Signature:0:0:58354f2150254041505b345c505a58353428505e2937434329377d2445494341522d5354414e444152442d414e544956495255532d544553542d46494c452124482b482a\n",
);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_bytes_are_those_of_the_signature() {
        let hex: String = eicar().iter().map(|byte| format!("{byte:02x}")).collect();
        assert!(EICAR_SIGNATURES.1.trim_end().ends_with(&format!(":{hex}")));
        assert_eq!(eicar().len(), 68);
    }
}
