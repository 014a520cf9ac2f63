/* Programs that mine currency, their configuration and what prepares a machine for them.
   Original rules of this project. */

rule miner_configuration {
    meta:
        id = "miner-configuration"
        summary = "configuration of a currency miner"
        severity = "high"
        reference = "https://attack.mitre.org/techniques/T1496/"
        applies = "script"
    strings:
        $key1 = "\"donate-level\""
        $key2 = "\"donate-over-proxy\""
        $key3 = "\"randomx\""
        $key4 = "\"cryptonight"
        $pool = "\"pools\""
        $user = "\"user\""
        $a = "\"rig-id\""
        $b = "\"algo\""
        $c = "\"coin\""
        $d = "\"huge-pages\""
        $e = "\"nicehash\""
        $f = "\"keepalive\""
        $g = "stratum+"
    condition:
        any of ($key*) and ($user and $pool and 2 of ($a, $b, $c, $d, $e, $f, $g))
}

rule miner_command {
    meta:
        id = "miner-command"
        summary = "a command line that starts mining in a pool"
        severity = "high"
        reference = "https://attack.mitre.org/techniques/T1496/"
        applies = "script"
    strings:
        $key1 = "stratum+tcp://"
        $key2 = "stratum+ssl://"
        $key3 = "stratum+tls://"
        $key4 = "stratum2+tcp://"
        $a = /(\s-o|\s--url|\s--pool|\s-P|\s--server|\s-S)[= ]{1,3}["']?([\w.@-]{1,140}@)?stratum2?\+(tcp|ssl|tls):\/\//
        $user = /\s(-u|--user|-O|--userpass|--wallet|--coin|-p|--algo|-a)[= ]/
    condition:
        any of ($key*) and ($a and $user)
}

rule miner_pool_wallet {
    meta:
        id = "miner-pool-wallet"
        summary = "a mining pool's host beside a Monero address"
        severity = "high"
        reference = "https://attack.mitre.org/techniques/T1496/"
        applies = "script"
    strings:
        $key1 = "supportxmr.com"
        $key2 = "moneroocean.stream"
        $key3 = "nanopool.org"
        $key4 = "minexmr.com"
        $key5 = "hashvault.pro"
        $key6 = "c3pool.com"
        $key7 = "2miners.com"
        $key8 = "herominers.com"
        $key9 = "unmineable.com"
        $key10 = "kryptex.network"
        $wallet = /\b[48][0-9AB][1-9A-HJ-NP-Za-km-z]{93}\b/
    condition:
        any of ($key*) and ($wallet)
}

rule elf_cpu_miner {
    meta:
        id = "elf-cpu-miner"
        summary = "a program built from a known processor miner"
        severity = "high"
        reference = "https://attack.mitre.org/techniques/T1496/"
        applies = "elf"
    strings:
        $key1 = "donate-level"
        $key2 = "randomx"
        $key3 = "cryptonight"
        $a = "stratum+tcp://"
        $b = "nicehash"
        $c = "rig-id"
        $d = "huge-pages"
        $e = "keepalived"
        $f = "donate-level"
        $g = "cryptonight"
        $h = "\"login\""
        $i = "xmrig" nocase
        // The words of the pool protocol: who only knows of miners does not speak it.
        $p1 = "job_id"
        $p2 = "keepalived"
    condition:
        any of ($key*) and (5 of ($a, $b, $c, $d, $e, $f, $g, $h, $i) and any of ($p*))
}

rule elf_stratum_miner {
    meta:
        id = "elf-stratum-miner"
        summary = "a program that speaks the mining pools' protocol"
        severity = "high"
        reference = "https://en.bitcoin.it/wiki/Stratum_mining_protocol"
        applies = "elf"
    strings:
        $key1 = "mining.subscribe"
        $key2 = "mining.authorize"
        $key3 = "mining.submit"
        $a = "mining.subscribe"
        $b = "mining.submit"
        $c = "stratum+tcp"
        $d = "hashrate" nocase
        $e = "H/s"
    condition:
        any of ($key*) and ($a and $b and 1 of ($c, $d, $e))
}

rule elf_graphics_miner {
    meta:
        id = "elf-graphics-miner"
        summary = "a program that names itself as a known graphics card or pool miner"
        severity = "high"
        reference = "https://attack.mitre.org/techniques/T1496/"
        applies = "elf"
    strings:
        $key1 = "ccminer"
        $key2 = "T-Rex NVIDIA"
        $key3 = "ethminer"
        $key4 = "lolMiner"
        $key5 = "nbminer" nocase
        $key6 = "PhoenixMiner"
        $key7 = "cpuminer"
        $key8 = "teamredminer"
        $a = "stratum"
        $b = "ethash" nocase
        $c = "kawpow" nocase
        $d = "--algo"
        $e = "hashrate" nocase
        $f = "scrypt"
        $p1 = "mining.subscribe"
        $p2 = "mining.notify"
        $p3 = "eth_submitWork"
        $p4 = "eth_submitHashrate"
    condition:
        any of ($key*) and (3 of ($a, $b, $c, $d, $e, $f) and any of ($p*))
}

rule browser_miner {
    meta:
        id = "browser-miner"
        summary = "a page or script that mines in the visitor's browser"
        severity = "medium"
        reference = "https://attack.mitre.org/techniques/T1496/"
        applies = "javascript php document jsp asp"
    strings:
        $key1 = "CoinHive.Anonymous"
        $key2 = "CoinHive.User"
        $key3 = "CryptoLoot.Anonymous"
        $key4 = "Client.Anonymous("
        $key5 = "deepMiner.Anonymous"
        $start = /\.start\s{0,4}\(/
        $a = "throttle"
        $b = "coinimp"
        $c = ".min.js"
    condition:
        any of ($key*) and ($start and any of ($a, $b, $c))
}

rule miner_tuning {
    meta:
        id = "miner-tuning"
        summary = "a script that sets huge pages or processor registers for mining"
        severity = "medium"
        reference = "https://xmrig.com/docs/miner/randomx-optimization-guide/msr"
        applies = "shell python perl"
    strings:
        $key1 = "wrmsr"
        $key2 = "nr_hugepages"
        $msr = /wrmsr\s{1,4}(-a|-p\s{0,4}\S{1,8})\s{1,4}0x(1a4|c0011020|c0011021|c0011022|c001102b)/ nocase
        $a = "xmrig" nocase
        $b = "randomx" nocase
        $c = "minerd"
        $d = "stratum"
    condition:
        any of ($key*) and ($msr or any of ($a, $b, $c, $d))
}
