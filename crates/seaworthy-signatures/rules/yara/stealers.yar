/* Code that takes credentials away, above all in packages of language registries. Original
   rules of this project. */

rule npm_environment_theft {
    meta:
        id = "npm-environment-theft"
        summary = "JavaScript that sends the whole environment and the machine's name away"
        severity = "high"
        reference = "https://attack.mitre.org/techniques/T1552/"
        applies = "javascript"
    strings:
        $key1 = "JSON.stringify(process.env"
        $key2 = "env: process.env"
        $key3 = "env:process.env"
        $who = /(os\.hostname\s{0,4}\(|os\.userInfo\s{0,4}\(|os\.homedir\s{0,4}\()/
        $send = /(https?\.request\s{0,4}\(|fetch\s{0,4}\(\s{0,4}["'`]https?:|axios\.post|dns\.(lookup|resolve))/
        $all = /stringify\s{0,4}\([^)]{0,200}process\.env\b\s{0,4}[,})]/
    condition:
        any of ($key*) and ($all and $who and $send)
}

rule npm_install_fetch {
    meta:
        id = "npm-install-fetch"
        summary = "a package whose installation fetches and runs a script"
        severity = "high"
        reference = "https://attack.mitre.org/techniques/T1195/002/"
        applies = "plain"
    strings:
        $key1 = "\"preinstall\""
        $key2 = "\"postinstall\""
        $key3 = "\"install\""
        $a = /"(pre|post)?install"\s{0,4}:\s{0,4}"[^"\n]{0,300}(curl|wget)\s[^"\n]{0,200}(\||&&|;)\s{0,4}[^"\n]{0,20}(\b(ba)?sh\b|node\b|chmod|python)/
        $b = /"(pre|post)?install"\s{0,4}:\s{0,4}"[^"\n]{0,60}node\s{1,4}-e\s{1,4}[^\n]{0,300}(child_process|base64|https?:\/\/)/
    condition:
        any of ($key*) and ($a or $b)
}

rule npm_worm {
    meta:
        id = "npm-worm"
        summary = "JavaScript that finds publishing tokens and publishes itself with them"
        severity = "critical"
        reference = "https://attack.mitre.org/techniques/T1195/002/"
        applies = "javascript shell"
    strings:
        $key1 = "shai-hulud" nocase
        $key2 = "trufflehog" nocase
        $a = /npm\s{1,4}publish/
        $b = "NPM_TOKEN"
        $c = "/-/whoami"
        $d = "GITHUB_TOKEN"
        $e = "webhook.site"
        $f = "/user/repos"
    condition:
        any of ($key*) and (3 of ($a, $b, $c, $d, $e, $f))
}

rule python_install_theft {
    meta:
        id = "python-install-theft"
        summary = "a Python package whose installation reports who installed it or runs hidden code"
        severity = "high"
        reference = "https://attack.mitre.org/techniques/T1195/002/"
        applies = "python"
    strings:
        $key = "cmdclass"
        $hook = /class\s{1,4}\w{1,40}\s{0,4}\(\s{0,4}([\w.]{1,40}\.)?(install|develop|egg_info|build_py)\s{0,4}\)/
        $who = /(socket\.gethostname|getpass\.getuser|platform\.node|os\.getlogin)\s{0,4}\(/
        $send = /(requests\.(get|post)|urlopen|urlretrieve|HTTPSConnection|HTTPConnection)\s{0,4}\(/
    condition:
        any of ($key*) and ($hook and $who and $send)
}

rule messenger_theft {
    meta:
        id = "messenger-theft"
        summary = "code that sends stored credentials to a chat's web hook"
        severity = "critical"
        reference = "https://attack.mitre.org/techniques/T1567/004/"
        applies = "script"
    strings:
        $key1 = "discord.com/api/webhooks/"
        $key2 = "discordapp.com/api/webhooks/"
        $key3 = "api.telegram.org/bot"
        $a = ".ssh/id_rsa"
        $b = "Login Data"
        $c = "wallet.dat"
        $d = ".aws/credentials"
        $e = "leveldb"
        $f = "/etc/shadow"
        $g = ".docker/config.json"
        $h = ".kube/config"
        $i = "Local State"
    condition:
        any of ($key*) and (any of ($a, $b, $c, $d, $e, $f, $g, $h, $i))
}

rule credential_sweep {
    meta:
        id = "credential-sweep"
        summary = "code that collects many kinds of stored credentials and sends them away"
        severity = "high"
        reference = "https://attack.mitre.org/techniques/T1552/001/"
        applies = "shell python javascript perl"
    strings:
        $key1 = ".ssh/id_rsa"
        $key2 = ".aws/credentials"
        $key3 = "wallet.dat"
        $key4 = ".git-credentials"
        $a = ".docker/config.json"
        $b = ".kube/config"
        $c = ".npmrc"
        $d = ".pypirc"
        $e = ".netrc"
        $f = ".config/gcloud"
        $g = ".bash_history"
        $h = "/etc/shadow"
        $i = ".azure/"
        $send = /(curl\s[^\n]{0,160}(-F|--form|-T|--upload-file|-d\s{0,2}@|--data(-binary|-raw)?[= ]["']?@)|wget\s[^\n]{0,80}--post-(file|data)|requests\.post\s{0,4}\(|https?\.request\s{0,4}\(|axios\.post|fetch\s{0,4}\(\s{0,4}["'`]https?:|urlopen\s{0,4}\()/
    condition:
        any of ($key*) and ($send and (4 of ($key1, $key2, $key3, $key4, $a, $b, $c, $d, $e, $f, $g, $h, $i)))
}

rule beacon_service {
    meta:
        id = "beacon-service"
        summary = "code that reports the machine's name to a service that catches callbacks"
        severity = "medium"
        reference = "https://attack.mitre.org/techniques/T1195/002/"
        applies = "script"
    strings:
        $key1 = ".oastify.com"
        $key2 = ".burpcollaborator.net"
        $key3 = ".interact.sh"
        $key4 = ".oast.fun"
        $key5 = ".oast.live"
        $key6 = ".oast.pro"
        $key7 = ".oast.me"
        $key8 = ".oast.online"
        $key9 = ".oast.site"
        $key10 = ".pipedream.net"
        $key11 = "webhook.site/"
        $who = /(hostname|whoami|process\.env|os\.environ|getuser|userInfo|\/etc\/passwd)/
        $run = /(exec|request|curl|wget|nslookup|dig|fetch|urlopen|lookup|ping)\b/
    condition:
        any of ($key*) and ($who and $run)
}

rule instance_credential_theft {
    meta:
        id = "instance-credential-theft"
        summary = "a script that takes the cloud machine's credentials and sends them away"
        severity = "high"
        reference = "https://attack.mitre.org/techniques/T1552/005/"
        applies = "shell python perl"
    strings:
        $key1 = "meta-data/iam/security-credentials"
        $key2 = "100.100.100.200/latest/meta-data/ram"
        $key3 = "computeMetadata/v1/instance/service-accounts"
        $key4 = "169.254.170.2"
        $send = /(curl\s[^\n]{0,160}(-F|--form|-T|--upload-file|-d|--data(-binary|-raw|-urlencode)?)[= ]|wget\s[^\n]{0,80}--post-(file|data)|requests\.post\s{0,4}\(|nc\s{1,4}(-w\s{0,2}\d{1,3}\s{1,4})?((25[0-5]|2[0-4]\d|1\d\d|[1-9]?\d)\.){3}\d)/
        $get = /(curl|wget|requests\.get|urlopen)/
    condition:
        any of ($key*) and ($get and $send)
}
