/* Shells that are bound to a port or call somebody. Original rules of this project. */

rule shell_dev_tcp {
    meta:
        id = "shell-dev-tcp"
        summary = "a shell connected to the network through `/dev/tcp`"
        severity = "critical"
        reference = "https://attack.mitre.org/techniques/T1059/004/"
        applies = "script"
    strings:
        $key1 = "/dev/tcp/"
        $key2 = "/dev/udp/"
        $a = /\b(ba|z|k|)sh\s{1,4}-i\s{0,4}[0-9&]{0,2}>{1,2}[&|]{0,1}\s{0,4}\/dev\/(tcp|udp)\//
        $b = /exec\s{1,4}\d{1,3}<>\s{0,4}\/dev\/(tcp|udp)\/[^\n]{1,120}[;\n][^\n]{0,200}(sh\s{1,4}(-i\s{1,4})?<&|while\s{1,4}read[^\n]{0,80}(eval|\$\w+)|cat\s{1,4}<&\d{1,3}\s{0,4}\|)/
    condition:
        any of ($key*) and ($a or $b)
}

rule shell_netcat {
    meta:
        id = "shell-netcat"
        summary = "a shell handed to netcat"
        severity = "critical"
        reference = "https://attack.mitre.org/techniques/T1059/004/"
        applies = "script"
    strings:
        $key1 = " -e /bin/"
        $key2 = "e /bin/sh"
        $key3 = "e /bin/bash"
        $key4 = " -c /bin/"
        $key5 = " -e sh"
        $key6 = " -e bash"
        $a = /\b(nc|ncat|netcat)(\.\w{1,12})?\s[^\n#|;]{0,80}-[a-z]{0,5}[ec]\s{1,4}['"]?(\/usr)?(\/bin\/)?(ba|da|z|k|)sh\b/
    condition:
        any of ($key*) and ($a)
}

rule shell_fifo {
    meta:
        id = "shell-fifo"
        summary = "a shell connected to the network through a named pipe"
        severity = "critical"
        reference = "https://attack.mitre.org/techniques/T1059/004/"
        applies = "script"
    strings:
        $key1 = "mkfifo"
        $key2 = "mknod"
        $a = /mk(fifo\s{1,4}\S{1,60}|nod\s{1,4}\S{1,60}\s{1,4}p)\s{0,4}[;&|\n][^\n]{0,80}sh\s{1,4}-i[^\n]{0,80}\|\s{0,4}(nc|ncat|netcat|openssl\s{1,4}s_client|telnet|busybox\s{1,4}nc)\b/
        $b = /mk(fifo\s{1,4}\S{1,60}|nod\s{1,4}\S{1,60}\s{1,4}p)\s{0,4}[;&|\n][^\n]{0,40}(nc|ncat|netcat|telnet)\s[^\n|]{1,80}\|\s{0,4}(\/bin\/)?(ba)?sh\b/
    condition:
        any of ($key*) and ($a or $b)
}

rule shell_socat {
    meta:
        id = "shell-socat"
        summary = "a shell handed to socat"
        severity = "critical"
        reference = "https://attack.mitre.org/techniques/T1059/004/"
        applies = "script"
    strings:
        $key = "socat"
        $a = /\bsocat\s[^\n#]{0,120}(exec|system):['"]?[^\n:,'"]{0,24}sh\b[^\n]{0,80}(tcp|openssl|udp)[a-z0-9-]{0,10}:/ nocase
        $b = /\bsocat\s[^\n#]{0,60}(tcp|openssl|udp)[a-z0-9-]{0,10}:[^\n]{0,120}(exec|system):['"]?[^\n:,'"]{0,24}sh\b/ nocase
    condition:
        any of ($key*) and ($a or $b)
}

rule python_socket_shell {
    meta:
        id = "python-socket-shell"
        summary = "Python that ties a shell to a socket"
        severity = "critical"
        reference = "https://attack.mitre.org/techniques/T1059/006/"
        applies = "python shell"
    strings:
        $key = "dup2("
        $dup = /dup2\s{0,4}\(\s{0,4}\w{1,16}\.fileno\(\)\s{0,4},\s{0,4}[012]\s{0,4}\)/
        $net = /\.(connect|bind|accept)\s{0,4}\(/
        $run = /(pty\.spawn|subprocess\.(call|Popen|run)|os\.(execl|execv|execve|execlp|system))\s{0,4}\(\s{0,4}\[?\s{0,4}["'](\/bin\/)?(ba|da|z|k|)sh\b/
    condition:
        any of ($key*) and ($dup and $net and $run)
}

rule perl_socket_shell {
    meta:
        id = "perl-socket-shell"
        summary = "Perl that ties a shell to a socket"
        severity = "critical"
        reference = "https://attack.mitre.org/techniques/T1059/"
        applies = "perl shell"
    strings:
        $key1 = "STDIN,\">&"
        $key2 = "STDIN, \">&"
        $key3 = "STDIN,'>&"
        $key4 = "STDIN->fdopen"
        $net = /(PF_INET|IO::Socket::INET|getprotobyname)/
        $run = /(exec|system)\s{0,4}[({]{0,2}\s{0,4}["'](\/bin\/)?(ba|da|z|k|)sh\b/
        $any = /system\s{0,4}\$_\s{0,4}while\s{0,4}<>/
    condition:
        any of ($key*) and ($net and ($run or $any))
}

rule php_socket_shell {
    meta:
        id = "php-socket-shell"
        summary = "PHP that ties a shell to a socket"
        severity = "critical"
        reference = "https://attack.mitre.org/techniques/T1505/003/"
        applies = "php shell"
    strings:
        $key1 = "fsockopen" nocase
        $key2 = "stream_socket_client" nocase
        $run = /(proc_open|shell_exec|exec|system|popen|passthru)\s{0,4}\(\s{0,4}["'](uname[^"']{0,40};\s{0,4})?(\/bin\/)?(ba|da|z|k|)sh\b/ nocase
        $var = /\$shell\s{0,4}=\s{0,4}["'][^"'\n]{0,40}(\/bin\/)?sh\s{1,4}-i/ nocase
    condition:
        any of ($key*) and ($run or $var)
}

rule node_socket_shell {
    meta:
        id = "node-socket-shell"
        summary = "JavaScript that ties a shell to a socket"
        severity = "critical"
        reference = "https://attack.mitre.org/techniques/T1059/007/"
        applies = "javascript shell"
    strings:
        $key = "child_process"
        $run = /(spawn|exec)\s{0,4}\(\s{0,4}["'](\/bin\/)?(ba|da|z|k|)sh["']/
        $net = /(net\.(connect|createConnection|createServer|Socket)|require\s{0,4}\(\s{0,4}["']net["']\s{0,4}\))/
        $tie = /\.pipe\s{0,4}\(\s{0,4}\w{1,16}\.stdin\b/
    condition:
        any of ($key*) and ($run and $net and $tie)
}

rule ruby_socket_shell {
    meta:
        id = "ruby-socket-shell"
        summary = "Ruby that ties a shell to a socket"
        severity = "critical"
        reference = "https://attack.mitre.org/techniques/T1059/"
        applies = "shell"
    strings:
        $key1 = "TCPSocket.new"
        $key2 = "TCPSocket.open"
        $a = /exec\s{0,4}\(?\s{0,4}(sprintf\(\s{0,4})?["'](\/bin\/)?(ba|da|z|k|)sh\b[^\n]{0,20}<&/
        $b = /TCPSocket\.(new|open)[^\n]{0,120}(IO\.popen|`|\$stdin\.reopen|system)[^\n]{0,80}/
    condition:
        any of ($key*) and ($a or $b)
}

rule awk_socket_shell {
    meta:
        id = "awk-socket-shell"
        summary = "an awk one-liner that takes commands from the network"
        severity = "critical"
        reference = "https://attack.mitre.org/techniques/T1059/004/"
        applies = "shell"
    strings:
        $key = "/inet/tcp/0/"
        $a = /awk\s{1,4}['"]BEGIN\s{0,4}\{[^\n]{0,80}\/inet\/tcp\/0\/[^\n]{1,300}getline/
    condition:
        any of ($key*) and ($a)
}

rule elf_control_agent {
    meta:
        id = "elf-control-agent"
        summary = "a program with the marks of a published remote-control agent"
        severity = "critical"
        reference = "https://attack.mitre.org/tactics/TA0011/"
        applies = "elf"
    strings:
        $key1 = "stdapi_fs_"
        $key2 = "github.com/bishopfox/sliver/implant"
        $key3 = "github.com/Ne0nd0g/merlin-agent"
        $key4 = "github.com/its-a-feature/Mythic"
        $key5 = "core_channel_open"
        $msf1 = "stdapi_net_"
        $msf2 = "stdapi_sys_"
        $msf3 = "core_channel_open"
        $msf4 = "stdapi_fs_"
    condition:
        any of ($key*) and ($key2 or $key3 or $key4 or 3 of ($msf*))
}
