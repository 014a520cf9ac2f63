/* Rootkits, backdoors and bots for Linux. Original rules of this project. */

rule elf_preload_rootkit {
    meta:
        id = "elf-preload-rootkit"
        summary = "a library that stands before the system's own to hide files or connections"
        severity = "critical"
        reference = "https://attack.mitre.org/techniques/T1574/006/"
        applies = "elf"
    strings:
        $key1 = "ld.so.preload"
        $key2 = "/proc/net/tcp"
        $a = "readdir64"
        $b = "readdir"
        $sym = "dlsym"
        $hide1 = "fopen64"
        $hide2 = "__lxstat"
        $hide3 = "unlinkat"
        $hide4 = "/proc/self/fd/%d"
        $hide5 = "pam_authenticate"
        $hide6 = "getpwnam_r"
        $hide7 = "__xstat64"
        $hide8 = "accept"
    condition:
        any of ($key*) and ($key1 and $a and $b and $sym and 3 of ($hide*) and filesize < 700KB)
}

rule elf_process_hider {
    meta:
        id = "elf-process-hider"
        summary = "a library that hides one process from directory listings"
        severity = "critical"
        reference = "https://attack.mitre.org/techniques/T1564/"
        applies = "elf"
    strings:
        $key1 = "process_to_filter"
        $key2 = "%d (%[^)]s"
        $a = "readdir"
        $b = "dlsym"
        $c = "/proc/self/fd/%d"
    condition:
        any of ($key*) and ($a and $b and $c and filesize < 300KB)
}

rule kernel_module_rootkit {
    meta:
        id = "kernel-module-rootkit"
        summary = "a kernel module with the marks of a published rootkit"
        severity = "critical"
        reference = "https://attack.mitre.org/techniques/T1014/"
        applies = "elf"
    strings:
        $key1 = "diamorphine"
        $key2 = "reptile"
        $key3 = "suterusu"
        $key4 = "kovid"
        $key5 = "module_hide"
        $key6 = "hide_module"
        $key7 = "hacked_getdents"
        $key8 = "hook_getdents"
        $key9 = "give_root"
        $key10 = "hacked_kill"
        $module = "vermagic="
        $a = "getdents"
        $b = "prepare_creds"
        $c = "commit_creds"
        $d = "kallsyms_lookup_name"
        $e = "kallsyms_on_each_symbol"
    condition:
        any of ($key*) and ($module and any of ($a, $b, $c, $d, $e))
}

rule elf_bpf_rootkit {
    meta:
        id = "elf-bpf-rootkit"
        summary = "a program with the marks of a published rootkit that lives in BPF"
        severity = "critical"
        reference = "https://attack.mitre.org/techniques/T1014/"
        applies = "elf"
    strings:
        $key1 = "boopkit"
        $key2 = "ebpfkit"
        $key3 = "TripleCross"
        $key4 = "pamspy"
        $key5 = "bad-bpf"
        $a = "bpf"
        $b = "libbpf"
        $c = "tracepoint"
        $d = "xdp"
        $e = "uprobe"
    condition:
        any of ($key*) and ($a and any of ($b, $c, $d, $e))
}

rule pam_password_logger {
    meta:
        id = "pam-password-logger"
        summary = "a PAM module that writes down passwords"
        severity = "critical"
        reference = "https://attack.mitre.org/techniques/T1556/003/"
        applies = "elf"
    strings:
        $key = "pam_sm_authenticate"
        $get = "pam_get_"
        $place = /(\/tmp\/|\/var\/tmp\/|\/dev\/shm\/|\/usr\/(lib|share|include)\/(\w{1,20}\/)?\.)[\w.\/-]{2,40}/
        $form = /(%s:%s|login[=:]\s?%s|user(name)?\s?[=:]\s?%s|%s\s%s\n)/ nocase
        $pass = /(pass(word|wd)?\s?[=:]\s?%s|%s:%s)/ nocase
    condition:
        any of ($key*) and ($get and $place and $form and $pass)
}

rule ssh_password_logger {
    meta:
        id = "ssh-password-logger"
        summary = "a secure shell program that writes down passwords"
        severity = "critical"
        reference = "https://attack.mitre.org/techniques/T1554/"
        applies = "elf"
    strings:
        $key1 = "OpenSSH_"
        $a = /(user|usr|login|id)\s?[=:]{1,2}\s?%s[^\n\x00]{0,12}(pass|passwd|password|pw|pwd)\s?[=:]{1,2}\s?%s/ nocase
        $b = /\+?(user|login)@?host[^\n\x00]{0,8}:\s?%s[^\n\x00]{0,8}pass/ nocase
    condition:
        any of ($key*) and ($a or $b)
}

rule elf_mirai {
    meta:
        id = "elf-mirai"
        summary = "a bot of the Mirai family"
        severity = "critical"
        reference = "https://attack.mitre.org/software/S1149/"
        applies = "elf"
    strings:
        $key1 = "/bin/busybox MIRAI"
        $key2 = "/bin/busybox ECCHI"
        $key3 = "TSource Engine Query"
        $key4 = "listening tun0"
        $key5 = "HUAWEIUPNP"
        $key6 = "/cdn-cgi/l/chk_captcha"
        $a = "/dev/watchdog"
        $b = "/proc/net/tcp"
        $c = "/dev/misc/watchdog"
        $d = "POST /cdn-cgi/"
        $e = "/bin/busybox"
        $f = "enable\x00"
        $h = "NewStatusURL"
    condition:
        any of ($key*) and (2 of ($a, $b, $c, $d, $e, $f, $h) or 3 of ($key*))
}

rule elf_gafgyt {
    meta:
        id = "elf-gafgyt"
        summary = "a bot of the Gafgyt family"
        severity = "critical"
        reference = "https://malpedia.caad.fkie.fraunhofer.de/details/elf.bashlite"
        applies = "elf"
    strings:
        $key1 = "LOLNOGTFO"
        $key2 = "KILLATTK"
        $key3 = "REPORT %s:%s:"
        $key4 = "GETLOCALIP"
        $a = "PONG!"
        $b = "HTTPFLOOD"
        $c = "UDPFLOOD"
        $d = "JUNK Flooding"
        $e = "SCANNER ON | OFF"
        $f = "BUILD %s:%s"
        $g = "/bin/busybox"
    condition:
        any of ($key*) and (any of ($a, $b, $c, $d, $e, $f, $g) or 2 of ($key*))
}

rule elf_kaiten {
    meta:
        id = "elf-kaiten"
        summary = "a bot of the Kaiten (Tsunami) family"
        severity = "critical"
        reference = "https://malpedia.caad.fkie.fraunhofer.de/details/elf.tsunami"
        applies = "elf"
    strings:
        $key1 = "NOTICE %s :TSUNAMI" nocase
        $key2 = "NOTICE %s :Kaiten" nocase
        $key3 = "NOTICE %s :Unable to comply."
        $key4 = "TSUNAMI <target> <secs>"
        $irc1 = "NICK %s"
        $irc2 = "JOIN %s"
        $irc3 = "PRIVMSG"
    condition:
        any of ($key*) and (2 of ($irc*))
}

rule elf_bpfdoor {
    meta:
        id = "elf-bpfdoor"
        summary = "the backdoor that waits behind a packet filter for a magic packet"
        severity = "critical"
        reference = "https://attack.mitre.org/software/S1161/"
        applies = "elf"
    strings:
        $key1 = "/var/run/haldrund.pid"
        $key2 = "kdmtmpflush"
        $key3 = "hald-addon-acpi: listening on acpi kernel interface"
        $a = "HISTFILE=/dev/null"
        $b = "TERM=vt100"
        $c = "/bin/sh"
        $d = "qmgr -l -t fifo"
        $e = "/dev/shm/%s"
    condition:
        any of ($key*) and (2 of ($a, $b, $c, $d, $e))
}

rule elf_kinsing {
    meta:
        id = "elf-kinsing"
        summary = "the worm that spreads miners through open container interfaces"
        severity = "critical"
        reference = "https://attack.mitre.org/software/S0599/"
        applies = "elf"
    strings:
        $key1 = "kdevtmpfsi"
        $key2 = "main.redisBrute"
        $key3 = "main.runTaskWithHttp"
        $key4 = "main.masscan"
        $a = "kinsing"
        $b = "firewire"
        $c = "main.isMinerRunning"
        $d = "main.minerRunningCheck"
        $e = "redisBrute"
        $f = "/tmp/kdevtmpfsi"
    condition:
        any of ($key*) and (2 of ($a, $b, $c, $d, $e, $f))
}

rule elf_escape_tool {
    meta:
        id = "elf-escape-tool"
        summary = "a program made to break out of containers or to test that"
        severity = "high"
        reference = "https://attack.mitre.org/techniques/T1611/"
        applies = "elf"
    strings:
        $key1 = "github.com/cdk-team/CDK"
        $key2 = "github.com/inguardians/peirates"
        $key3 = "github.com/brompwnie/botb"
        $a = "docker.sock"
        $b = "serviceaccount"
        $c = "release_agent"
        $d = "core_pattern"
    condition:
        any of ($key*) and (any of ($a, $b, $c, $d))
}
