/* Ways out of a container and exploits of engine and kernel. Original rules of this project. */

rule escape_release_agent {
    meta:
        id = "escape-release-agent"
        summary = "a script that leaves the container through a control group's release agent"
        severity = "critical"
        reference = "https://nvd.nist.gov/vuln/detail/CVE-2022-0492"
        applies = "script"
    strings:
        $key = "release_agent"
        $mount = /mount\s[^\n]{0,60}-t\s{1,4}cgroup\b/
        $on = "notify_on_release"
        $write = /(>{1,2}\s{0,4}|tee\s{1,4})["']?[^\n]{0,60}release_agent/
    condition:
        any of ($key*) and ($mount and $on and $write)
}

rule escape_core_pattern {
    meta:
        id = "escape-core-pattern"
        summary = "a script that makes the host's kernel start a program of the container"
        severity = "critical"
        reference = "https://attack.mitre.org/techniques/T1611/"
        applies = "script"
    strings:
        $key = "/sys/kernel/core_pattern"
        $a = /(echo|printf)\s{1,4}(-\w{1,3}\s{1,4})?["']?\|\s{0,2}(\/tmp|\/dev\/shm|\/var\/tmp|\/proc\/|\$\{?\w{0,12}(host|upper|overlay|path|dir)\w{0,12}\}?)[^\n]{0,120}>\s{0,4}["']?[^\n]{0,60}\/sys\/kernel\/core_pattern/ nocase
        $b = /open\s{0,4}\([^\n]{0,60}\/sys\/kernel\/core_pattern["'][^\n]{0,20}["']w[^\n]{0,40}[\s\S]{0,200}write\s{0,4}\(\s{0,4}[fb]?["']\|(\/tmp|\/proc|\{)/
    condition:
        any of ($key*) and ($a or $b)
}

rule escape_engine_socket {
    meta:
        id = "escape-engine-socket"
        summary = "a script that asks the container engine for the host's file system"
        severity = "high"
        reference = "https://attack.mitre.org/techniques/T1611/"
        applies = "script"
    strings:
        $key1 = "docker.sock"
        $key2 = "-v /:/"
        $key3 = "--volume /:/"
        $key4 = "/containers/create"
        $a = /(curl|wget)\s[^\n]{0,120}--unix-socket\s{1,4}\S{0,40}docker\.sock/
        $bind = /(Binds|Mounts|Privileged)\\?"[^\n]{0,60}(\/:\/|"\/"|true)/
        $b = /docker\s[^\n]{0,60}run\s[^\n]{0,160}(-v|--volume)[= ]\/:\/\w{0,12}[^\n]{0,120}(chroot|nsenter|authorized_keys|cron)/
        $make = "/containers/create"
    condition:
        any of ($key*) and (($a and $make and $bind) or $b)
}

rule escape_runc_overwrite {
    meta:
        id = "escape-runc-overwrite"
        summary = "a file that makes the container runtime run itself so that it can be overwritten"
        severity = "critical"
        reference = "https://nvd.nist.gov/vuln/detail/CVE-2019-5736"
        applies = "any"
    strings:
        $key1 = "#!/proc/self/exe"
        $key2 = "Overwritten /bin/sh successfully"
        $key3 = "Successfully got write handle"
        $a = "/proc/self/exe"
        $b = "runc"
    condition:
        any of ($key*) and ($key1 at 0 or (($key2 or $key3) and $a and $b))
}

rule escape_working_directory {
    meta:
        id = "escape-working-directory"
        summary = "a build file or command whose working directory is a leaked descriptor"
        severity = "critical"
        reference = "https://nvd.nist.gov/vuln/detail/CVE-2024-21626"
        applies = "script"
    strings:
        $key = "/proc/self/fd/"
        $a = /(WORKDIR\s{1,4}|--workdir[= ]|\s-w\s{1,2}|--cwd[= ])["']?\/proc\/self\/fd\/\d/
    condition:
        any of ($key*) and ($a)
}

rule escape_host_disk {
    meta:
        id = "escape-host-disk"
        summary = "a script that makes the host's disk a device and mounts it"
        severity = "high"
        reference = "https://attack.mitre.org/techniques/T1611/"
        applies = "shell python"
    strings:
        $key = "mknod"
        $a = /mknod\s{1,4}\S{1,60}\s{1,4}b\s{1,4}(8|252|253|254|259|202)\s{1,4}\d{1,3}/
        $use = /(debugfs\s{1,4}-w|mount\s{1,4}\S{1,60}\s{1,4}\S{1,60}[\s\S]{0,400}(chroot|authorized_keys|crontab|cron\.d))/
    condition:
        any of ($key*) and ($a and $use)
}

rule escape_init_root {
    meta:
        id = "escape-init-root"
        summary = "a script that writes to the host through the first process's root"
        severity = "high"
        reference = "https://attack.mitre.org/techniques/T1611/"
        applies = "script"
    strings:
        $key = "/proc/1/root/"
        $a = /(>{1,2}\s{0,4}|tee\s{1,4}(-a\s{1,4})?|cp\s[^\n;]{1,80}\s)["']?\/proc\/1\/root\/(etc|root|home|var\/spool|usr|bin)/
    condition:
        any of ($key*) and ($a)
}

rule exploit_dirty_pipe {
    meta:
        id = "exploit-dirty-pipe"
        summary = "an exploit of the kernel's pipe buffers"
        severity = "critical"
        reference = "https://nvd.nist.gov/vuln/detail/CVE-2022-0847"
        applies = "elf text"
    strings:
        $key1 = "cannot start writing at a page boundary"
        $key2 = "cannot write across a page boundary"
        $key3 = "dirtypipe" nocase
        $key4 = "Failed to prepare pipe"
        $a = "splice"
        $b = "F_GETPIPE_SZ"
        $c = "short write"
        $d = "/etc/passwd"
        $e = "suid"
    condition:
        any of ($key*) and (($key1 or $key2 or $key4) and any of ($a, $b, $c, $d, $e))
}

rule exploit_dirty_cow {
    meta:
        id = "exploit-dirty-cow"
        summary = "an exploit of the kernel's copy on write"
        severity = "critical"
        reference = "https://nvd.nist.gov/vuln/detail/CVE-2016-5195"
        applies = "elf text"
    strings:
        $key1 = "procselfmem"
        $key2 = "firefart"
        $key3 = "dirtyc0w" nocase
        $key4 = "DirtyCow root privilege escalation"
        $a = "/proc/self/mem"
        $b = "madvise"
    condition:
        any of ($key*) and ($a and $b)
}

rule exploit_pkexec {
    meta:
        id = "exploit-pkexec"
        summary = "an exploit of pkexec through a character conversion"
        severity = "critical"
        reference = "https://nvd.nist.gov/vuln/detail/CVE-2021-4034"
        applies = "elf text"
    strings:
        $key1 = "GCONV_PATH=."
        $key2 = "GCONV_PATH=./"
        $a = "pkexec"
        $b = "gconv-modules"
        $c = "CHARSET="
        $d = /module\s{1,4}\S{1,20}\/\/\s/
    condition:
        any of ($key*) and ($a and any of ($b, $c, $d))
}

rule exploit_overlay {
    meta:
        id = "exploit-overlay"
        summary = "an exploit of overlay mounts that keeps capabilities of files"
        severity = "critical"
        reference = "https://nvd.nist.gov/vuln/detail/CVE-2023-0386"
        applies = "elf text"
    strings:
        $key1 = "ovlcap"
        $key2 = "setcap cap_setuid"
        $a = "lowerdir="
        $b = /unshare\s{1,4}-[a-zA-Z]{1,6}\s{1,4}(ba)?sh\s{1,4}-c[\s\S]{0,600}mount\s{1,4}-t\s{1,4}overlay/
        $c = "security.capability"
    condition:
        any of ($key*) and (($key1 and $a) or ($key2 and $b) or ($key1 and $c))
}

rule exploit_kernel_crypto_splice {
    meta:
        id = "exploit-kernel-crypto-splice"
        summary = "an exploit that writes to cached files through the kernel's crypto sockets"
        severity = "critical"
        reference = "https://nvd.nist.gov/vuln/detail/CVE-2026-31431"
        applies = "elf python shell"
    strings:
        $key = "authencesn("
        $a = "splice"
        $b = /\/(usr\/)?bin\/(su|sudo|passwd|mount|pkexec)\b/
        $c = "AF_ALG"
        $d = "aead"
    condition:
        any of ($key*) and ($a and $b and any of ($c, $d))
}
