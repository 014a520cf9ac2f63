/* Scripts that fetch and run, spread, clear the way and cover tracks. Original rules of this
   project. */

rule shell_decode_run {
    meta:
        id = "shell-decode-run"
        summary = "a shell that runs what it decodes from base 64"
        severity = "high"
        reference = "https://attack.mitre.org/techniques/T1140/"
        applies = "shell"
    strings:
        $key1 = "base64 -d"
        $key2 = "base64 --decode"
        $key3 = "base64 -D"
        $a = /(echo|printf|curl|wget|cat\s{0,2}<<<?)\s[^\n]{16,8000}\|\s{0,4}base64\s{1,4}(-d|-D|--decode)[^\n|]{0,40}\|\s{0,4}(gunzip[^\n|]{0,12}\|\s{0,4})?(sudo\s{1,4})?(\/bin\/)?(ba|z|da|)sh\b/
        $b = /(eval|(ba|)sh\s{1,4}-c)\s{1,4}["']?(\$\(|`)\s{0,4}(echo|printf)\s[^\n]{16,8000}base64\s{1,4}(-d|-D|--decode)/
    condition:
        any of ($key*) and ($a or $b)
}

rule shell_fetch_run_address {
    meta:
        id = "shell-fetch-run-address"
        summary = "a script from a bare address piped into a shell"
        severity = "high"
        reference = "https://attack.mitre.org/techniques/T1105/"
        applies = "shell"
    strings:
        $key1 = "| sh"
        $key2 = "|sh "
        $key5 = "|sh\n"
        $key6 = "|sh\""
        $key3 = "| bash"
        $key4 = "|bash"
        $a = /(curl|wget|lwp-download|cdt|wd1)\s[^\n|;]{0,160}\b(https?:\/\/)?((25[0-5]|2[0-4]\d|1\d\d|[1-9]?\d)\.){3}\d{1,3}[:\/][^\n|]{0,160}\|\s{0,4}(sudo\s{1,4})?(ba)?sh\b/
        $local = /(https?:\/\/)?(127\.|10\.|192\.168\.|169\.254\.)/
    condition:
        any of ($key*) and ($a and not $local)
}

rule shell_fetch_temp_run {
    meta:
        id = "shell-fetch-temp-run"
        summary = "a script that fetches a program by address into a temporary folder and runs it"
        severity = "high"
        reference = "https://attack.mitre.org/techniques/T1105/"
        applies = "shell"
    strings:
        $key1 = "chmod 777"
        $key2 = "chmod +x"
        $key3 = "chmod 755"
        $key4 = "chmod 0777"
        $a = /(curl|wget|tftp|ftpget|busybox\s{1,2}wget)\s[^\n;&|]{0,120}(https?:\/\/)?((25[0-5]|2[0-4]\d|1\d\d|[1-9]?\d)\.){3}\d{1,3}[^\n]{0,200}[\n;&][^\n]{0,120}chmod\s{1,4}(\+x|777|755|0777)\s/
        $temp = /(cd\s{1,4}|\s|>)(\/tmp|\/var\/tmp|\/dev\/shm|\/var\/run)\b/
        $hidden = /(nohup|>\s{0,2}\/dev\/null\s{1,2}2>&1|rm\s{1,4}-rf?\s)/
    condition:
        any of ($key*) and ($a and $temp and $hidden)
}

rule shell_bot_loader {
    meta:
        id = "shell-bot-loader"
        summary = "the loader script of bots for small devices"
        severity = "critical"
        reference = "https://attack.mitre.org/software/S1149/"
        applies = "shell"
    strings:
        $key1 = "cd /tmp || cd /var/run || cd /mnt || cd /root || cd /"
        $key2 = "cd /tmp||cd /var/run||cd /mnt"
        $a = /(wget|curl|tftp|ftpget)\s/
    condition:
        any of ($key*) and ($a)
}

rule python_decode_run {
    meta:
        id = "python-decode-run"
        summary = "Python that runs what it decodes"
        severity = "high"
        reference = "https://attack.mitre.org/techniques/T1140/"
        applies = "python shell"
    strings:
        $key1 = "b64decode"
        $key2 = "b32decode"
        $key3 = "b16decode"
        $key4 = "a85decode"
        $key5 = "b85decode"
        $key6 = "fromhex"
        $key7 = "marshal"
        $a = /\b(exec|eval)\s{0,4}\(\s{0,4}(compile\s{0,4}\(\s{0,4})?((__import__\s{0,4}\(\s{0,4}["']\w{1,16}["']\s{0,4}\)|\w{1,16})\s{0,4}\.\s{0,4}){0,3}(b64decode|b32decode|b16decode|a85decode|b85decode|decompress|fromhex|unhexlify|loads)\s{0,4}\(\s{0,4}([\w.]{1,30}\(\s{0,4}){0,3}(b|r|br)?["'][^"'\n]{24,}/
    condition:
        any of ($key*) and ($a)
}

rule node_decode_run {
    meta:
        id = "node-decode-run"
        summary = "JavaScript that runs what it decodes"
        severity = "high"
        reference = "https://attack.mitre.org/techniques/T1140/"
        applies = "javascript"
    strings:
        $key1 = "eval(Buffer"
        $key2 = "eval(atob"
        $key3 = "eval(new Buffer"
        $key4 = "Function(atob"
        $key5 = "Function(Buffer"
        $key6 = "eval(require('zlib')"
        $a = /(eval|Function)\s{0,4}\(\s{0,4}(atob\s{0,4}\(|(new\s{1,4})?Buffer(\.from)?\s{0,4}\(|require\('zlib'\))\s{0,4}/
    condition:
        any of ($key*) and ($a)
}

rule perl_decode_run {
    meta:
        id = "perl-decode-run"
        summary = "Perl that runs what it decodes"
        severity = "high"
        reference = "https://attack.mitre.org/techniques/T1140/"
        applies = "perl shell"
    strings:
        $key1 = "unpack"
        $key2 = "decode_base64"
        $a = /\beval\s{0,4}\(?\s{0,4}unpack\s{0,4}\(?\s{0,4}["']?[uH]\*?["']?/
        $b = /\beval\s{0,4}\(?\s{0,4}(MIME::Base64::)?decode_base64\s{0,4}\(\s{0,4}["'][A-Za-z0-9+\/=]{24,}/
    condition:
        any of ($key*) and ($a or $b)
}

rule shell_kill_competitors {
    meta:
        id = "shell-kill-competitors"
        summary = "a script that ends other people's miners"
        severity = "high"
        reference = "https://attack.mitre.org/techniques/T1489/"
        applies = "shell python perl"
    strings:
        $key1 = "kdevtmpfsi"
        $key2 = "kinsing"
        $key3 = "minerd"
        $key4 = "cryptonight"
        $key5 = "watchbog"
        $key6 = "kthreaddi"
        $key7 = "xmr-stak"
        $key8 = "networkservice"
        $key9 = "sysguard"
        $key10 = "supportxmr"
        $key11 = "xmrig"
        $kill = /(pkill|killall|kill\s{1,4}-9|xargs\s[^\n]{0,24}kill|rm\s{1,4}-rf\s{1,4}\/tmp\/)/
    condition:
        any of ($key*) and (3 of ($key*) and #kill > 2)
}

rule shell_remove_guards {
    meta:
        id = "shell-remove-guards"
        summary = "a script that removes the cloud provider's security agents"
        severity = "high"
        reference = "https://attack.mitre.org/techniques/T1562/001/"
        applies = "shell python"
    strings:
        $key1 = "aegis.aliyun.com/download/uninstall.sh"
        $key2 = "update.aegis.aliyun.com/download/quartz_uninstall.sh"
        $key3 = "/usr/local/qcloud/stargate/admin/uninstall.sh"
        $key4 = "/usr/local/qcloud/YunJing/uninst.sh"
        $key5 = "/usr/local/qcloud/monitor/barad/admin/uninstall.sh"
        $key6 = "/usr/local/aegis"
        $key7 = "/usr/local/cloudmonitor"
    condition:
        any of ($key*) and (2 of ($key*))
}

rule shell_cover_tracks {
    meta:
        id = "shell-cover-tracks"
        summary = "a script that clears logs and history and pins its files"
        severity = "medium"
        reference = "https://attack.mitre.org/techniques/T1070/"
        applies = "shell python perl"
    strings:
        $key1 = "history -c"
        $key2 = "HISTFILE"
        $key3 = "/var/log/wtmp"
        $key4 = "/var/log/lastlog"
        $a = /(unset\s{1,4}HISTFILE|HISTFILE=\/dev\/null|HISTSIZE=0|history\s{1,4}-c)/
        $b = /(>|rm\s{1,4}-r?f|cat\s{1,4}\/dev\/null\s{0,4}>|truncate\s[^\n]{0,20})\s{0,4}\/var\/log\/(wtmp|btmp|lastlog|secure|auth\.log|syslog|messages)/
        $c = /(\/var\/spool\/mail\/root|\.bash_history)/
        $d = /chattr\s{1,4}[+-][iau]{1,3}\s/
        $e = /(curl|wget)\s[^\n]{0,200}https?:\/\//
    condition:
        any of ($key*) and ($b and 3 of ($a, $c, $d, $e))
}

rule cron_fetch_run {
    meta:
        id = "cron-fetch-run"
        summary = "a job that fetches a script and runs it every few minutes"
        severity = "high"
        reference = "https://attack.mitre.org/techniques/T1053/003/"
        applies = "shell python perl"
    strings:
        $key1 = " * * * "
        $a = /(\*|\*\/\d{1,2}|\d{1,2}(,\d{1,2}){0,6})\s{1,4}\*\s{1,4}\*\s{1,4}\*\s{1,4}\*\s{1,4}[^\n#]{0,60}(curl|wget|lynx|fetch)\s[^\n|]{0,200}\|\s{0,4}(\/bin\/)?(ba)?sh\b/
        $b = /(\*|\*\/\d{1,2}|\d{1,2}(,\d{1,2}){0,6})\s{1,4}\*\s{1,4}\*\s{1,4}\*\s{1,4}\*\s{1,4}[^\n#]{0,60}(ba)?sh\s{1,4}-c\s{1,4}["']?(\$\(|`)(curl|wget)/
    condition:
        any of ($key*) and ($a or $b)
}

rule shell_key_implant {
    meta:
        id = "shell-key-implant"
        summary = "a script that adds a login key and pins the file it is in"
        severity = "high"
        reference = "https://attack.mitre.org/techniques/T1098/004/"
        applies = "shell python perl"
    strings:
        $key = ".ssh/authorized_keys"
        $a = /ssh-(rsa|ed25519|dss)\s{1,4}AAAA[A-Za-z0-9+\/=]{20,}[^\n]{0,120}>{1,2}\s{0,4}[^\n]{0,40}\.ssh\/authorized_keys/
        $pin = /chattr\s{1,4}(-\w{1,2}\s{1,4})?[+-][iau]{1,4}\s/
    condition:
        any of ($key*) and ($a and $pin)
}

rule shell_preload_install {
    meta:
        id = "shell-preload-install"
        summary = "a script that puts a library of its own before the system's"
        severity = "high"
        reference = "https://attack.mitre.org/techniques/T1574/006/"
        applies = "shell python perl"
    strings:
        $key = "/etc/ld.so.preload"
        $a = /echo\s{1,4}["']?\/[^\n]{1,100}\.so[.\d]{0,6}["']?\s{0,4}>{1,2}\s{0,4}\/etc\/ld\.so\.preload/
        $b = /(chattr\s{1,4}[+-][iau]{1,4}|(curl|wget)\s[^\n]{0,160}\.so\b|gcc\s[^\n]{0,80}-shared|\/(tmp|dev\/shm|var\/tmp)\/[\w.-]{1,40}\.so)/
    condition:
        any of ($key*) and ($a and $b)
}

rule worm_docker_interface {
    meta:
        id = "worm-docker-interface"
        summary = "a script that looks for open container engines and starts containers on them"
        severity = "critical"
        reference = "https://attack.mitre.org/techniques/T1610/"
        applies = "shell python"
    strings:
        $key1 = ":2375"
        $key2 = ":2376"
        $key3 = "-p2375"
        $key4 = "-p 2375"
        $scan = /\b(masscan|zgrab|pnscan|zmap)\b/
        $run = /(docker\s{1,4}(-H|--host)[= ]{1,2}\S{1,80}\s{1,4}run|containers\/create)/
    condition:
        any of ($key*) and ($scan and $run)
}

rule worm_redis_jobs {
    meta:
        id = "worm-redis-jobs"
        summary = "commands that make a database server write jobs or login keys"
        severity = "critical"
        reference = "https://redis.io/docs/latest/operate/oss_and_stack/management/security/"
        applies = "shell python perl"
    strings:
        $key1 = "config set dir" nocase
        $key2 = "config', 'set', 'dir'" nocase
        $a = /config["', ]{1,4}set["', ]{1,4}dir["', ]{1,4}["']?\/(var\/spool\/cron|etc\/cron|root\/\.ssh|home\/\w{1,20}\/\.ssh)/ nocase
    condition:
        any of ($key*) and ($a)
}
