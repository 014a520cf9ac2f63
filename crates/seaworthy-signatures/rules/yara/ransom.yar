/* Extortion: notes, and scripts that encrypt what they find. Original rules of this project. */

rule ransom_note {
    meta:
        id = "ransom-note"
        summary = "a note that asks for money for files that were encrypted"
        severity = "high"
        reference = "https://attack.mitre.org/techniques/T1486/"
        applies = "text elf"
    strings:
        $key1 = "files have been encrypted" nocase
        $key2 = "files are encrypted" nocase
        $key3 = "files were encrypted" nocase
        $key4 = "network has been encrypted" nocase
        $key5 = "servers have been encrypted" nocase
        $pay1 = "bitcoin" nocase
        $pay2 = "monero" nocase
        $pay3 = ".onion"
        $pay4 = "tor browser" nocase
        $rule1 = "decryptor" nocase
        $rule2 = "decryption key" nocase
        $rule3 = "private key" nocase
        $rule4 = "do not rename" nocase
        $rule5 = "do not try to" nocase
        $rule6 = "test decryption" nocase
        $rule7 = "decryption tool" nocase
    condition:
        any of ($key*) and (any of ($pay*) and any of ($rule*))
}

rule database_ransom {
    meta:
        id = "database-ransom"
        summary = "the note that is left in emptied databases"
        severity = "high"
        reference = "https://attack.mitre.org/techniques/T1485/"
        applies = "script"
    strings:
        $key1 = "READ_ME_TO_RECOVER_YOUR_DATA"
        $key2 = "README_TO_RECOVER"
        $key3 = "All your data is backed up. You must pay" nocase
        $key4 = "Your database has been backed up" nocase
        $pay = /(BTC|bitcoin|\.onion)/ nocase
    condition:
        any of ($key*) and ($pay)
}

rule shell_mass_encryption {
    meta:
        id = "shell-mass-encryption"
        summary = "a shell script that encrypts files wherever they are and destroys the originals"
        severity = "high"
        reference = "https://attack.mitre.org/techniques/T1486/"
        applies = "shell"
    strings:
        $key1 = "openssl enc"
        $key2 = "openssl aes-256"
        $key3 = "gpg --batch"
        $key4 = "gpg -c"
        $key5 = "ccrypt "
        $all = /(find\s{1,4}(\/|\/(home|root|var|srv|mnt|opt|etc|data|vmfs)\S{0,40})\s|in\s{1,4}\/(home|root|var|srv|mnt|data)\S{0,20}\*|grep\s{1,4}-r\S{0,4}\s{1,4}\S{1,40}\s{1,4}\/)/
        $gone = /(shred|rm\s{1,4}-r?f|mv)\s[^\n]{0,80}\$/
        $mark = /\.(locked|encrypted|enc|crypt|crypted|lock|radiocrypt|☢)\b/
        $note = /(bitcoin|ransom|decrypt|tox id|telegram|\.onion)/ nocase
    condition:
        any of ($key*) and ($all and $gone and $mark and $note)
}

rule python_mass_encryption {
    meta:
        id = "python-mass-encryption"
        summary = "Python that encrypts whole trees and asks for money"
        severity = "high"
        reference = "https://attack.mitre.org/techniques/T1486/"
        applies = "python"
    strings:
        $key1 = "Fernet("
        $key2 = "AES.new("
        $key3 = "os.walk("
        $walk = /(os\.walk|glob|rglob|scandir)\s{0,4}\(/
        $crypt = /(Fernet|AES\.new|ChaCha20)/
        $mark = /["']\.(locked|encrypted|enc|crypt|crypted|lock)["']/
        $note = /(bitcoin|ransom|\.onion|monero)/ nocase
    condition:
        any of ($key*) and ($walk and $crypt and $mark and $note)
}

rule elf_hypervisor_ransom {
    meta:
        id = "elf-hypervisor-ransom"
        summary = "a program that stops virtual machines to get at their disks"
        severity = "critical"
        reference = "https://attack.mitre.org/techniques/T1489/"
        applies = "elf shell python"
    strings:
        $key1 = "vm process kill"
        $key2 = "vmsvc/power.off"
        $key3 = "vmsvc/snapshot.removeall"
        $a = ".vmdk"
        $b = ".vmem"
        $c = ".vswp"
        $d = ".vmsn"
        $e = "/vmfs/volumes"
        $note = /(encrypt|readme|restore|ransom|locked)/ nocase
    condition:
        any of ($key*) and (2 of ($a, $b, $c, $d, $e) and $note)
}
