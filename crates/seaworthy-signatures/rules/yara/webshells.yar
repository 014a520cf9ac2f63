/* Programs that let whoever asks a web server run commands on it. Original rules of this project. */

rule php_eval_request {
    meta:
        id = "php-eval-request"
        summary = "PHP that evaluates what a request sends"
        severity = "critical"
        reference = "https://attack.mitre.org/techniques/T1505/003/"
        applies = "php"
    strings:
        $key1 = "$_POST"
        $key2 = "$_GET"
        $key3 = "$_REQUEST"
        $key4 = "$_COOKIE"
        $key5 = "php://input"
        $a = /\b(eval|assert|create_function)\s{0,8}\(\s{0,8}(@?[a-z0-9_]{1,24}\s{0,4}\(\s{0,4}){0,4}(\$_(POST|GET|REQUEST|COOKIE)\s{0,4}[\[{]|["']php:\/\/input)/ nocase
    condition:
        any of ($key*) and ($a)
}

rule php_command_request {
    meta:
        id = "php-command-request"
        summary = "PHP that runs what a request sends as a command"
        severity = "critical"
        reference = "https://attack.mitre.org/techniques/T1505/003/"
        applies = "php"
    strings:
        $key1 = "$_POST"
        $key2 = "$_GET"
        $key3 = "$_REQUEST"
        $key4 = "$_COOKIE"
        $a = /\b(system|passthru|shell_exec|exec|popen|proc_open|pcntl_exec)\s{0,8}\(\s{0,8}(@?(base64_decode|urldecode|stripslashes|trim|hex2bin|str_rot13)\s{0,4}\(\s{0,4}){0,3}\$_(POST|GET|REQUEST|COOKIE)\s{0,4}[\[{]/ nocase
        $b = /`\s{0,4}(\{)?\$_(POST|GET|REQUEST|COOKIE)\[[^`\n]{1,60}`/
    condition:
        any of ($key*) and ($a or $b)
}

rule php_callable_request {
    meta:
        id = "php-callable-request"
        summary = "PHP that calls a function a request names with arguments it sends"
        severity = "critical"
        reference = "https://attack.mitre.org/techniques/T1505/003/"
        applies = "php"
    strings:
        $key1 = "$_POST"
        $key2 = "$_GET"
        $key3 = "$_REQUEST"
        $key4 = "$_COOKIE"
        $a = /\$_(GET|POST|REQUEST|COOKIE)\s{0,4}\[[^\]\n]{1,40}\]\s{0,4}\(\s{0,4}@?\$_(GET|POST|REQUEST|COOKIE)\s{0,4}\[/
        $b = /(array_map|array_filter|call_user_func|call_user_func_array|usort|register_shutdown_function)\s{0,4}\(\s{0,4}@?\$_(GET|POST|REQUEST|COOKIE)\s{0,4}\[[^\]\n]{1,40}\]\s{0,4},[^;\n]{0,40}\$_(GET|POST|REQUEST|COOKIE)/
    condition:
        any of ($key*) and ($a or $b)
}

rule php_unpack_eval {
    meta:
        id = "php-unpack-eval"
        summary = "PHP that unpacks itself through two or more encodings and evaluates the result"
        severity = "high"
        reference = "https://attack.mitre.org/techniques/T1027/"
        applies = "php"
    strings:
        $key1 = "base64_decode" nocase
        $key2 = "gzinflate" nocase
        $key3 = "str_rot13" nocase
        $key4 = "gzuncompress" nocase
        $key5 = "hex2bin" nocase
        $a = /\b(eval|assert)\s{0,8}\(\s{0,8}["'?>.\s]{0,12}(@?(gzinflate|gzuncompress|gzdecode|base64_decode|str_rot13|strrev|convert_uudecode|hex2bin|rawurldecode|urldecode)\s{0,4}\(\s{0,4}){2,8}/ nocase
    condition:
        any of ($key*) and ($a)
}

rule php_replace_evaluate {
    meta:
        id = "php-replace-evaluate"
        summary = "PHP whose replacement pattern has the modifier that evaluates, fed by a request"
        severity = "high"
        reference = "https://www.php.net/manual/en/reference.pcre.pattern.modifiers.php"
        applies = "php"
    strings:
        $key = "preg_replace" nocase
        $a = /preg_replace\s{0,4}\(\s{0,4}["']([\/#~|@]).{0,60}[\/#~|@][imsxu]{0,5}e[imsxu]{0,5}["']\s{0,4},[^;]{0,80}\$_(POST|GET|REQUEST|COOKIE)/ nocase
    condition:
        any of ($key*) and ($a)
}

rule php_shell_kit {
    meta:
        id = "php-shell-kit"
        summary = "PHP that calls itself by the name of a published web shell"
        severity = "critical"
        reference = "https://attack.mitre.org/techniques/T1505/003/"
        applies = "php"
    strings:
        $key1 = "c99shell" nocase
        $key2 = "r57shell" nocase
        $key3 = "b374k" nocase
        $key4 = "FilesMan"
        $key5 = "p0wny@shell" nocase
        $key6 = "IndoXploit" nocase
        $key7 = "AnonymousFox" nocase
        $key8 = "alfa team shell" nocase
        $key9 = "weevely" nocase
        $a = /\b(eval|assert|shell_exec|passthru|system|proc_open|popen)\s{0,4}\(/ nocase
    condition:
        any of ($key*) and ($a)
}

rule php_in_picture {
    meta:
        id = "php-in-picture"
        summary = "a picture that carries PHP which runs commands or evaluates"
        severity = "high"
        reference = "https://attack.mitre.org/techniques/T1027/009/"
        applies = "php"
    strings:
        $key1 = "<?php" nocase
        $key2 = "<?="
        $a = /<\?(php|=)[^>]{0,200}\b(eval|assert|system|passthru|shell_exec|exec|popen|include|base64_decode)\b/ nocase
    condition:
        any of ($key*) and ($a and (uint32be(0) == 0x47494638 or uint32be(0) == 0x89504e47 or (uint16be(0) == 0xffd8 and uint8(2) == 0xff)))
}

rule jsp_command_request {
    meta:
        id = "jsp-command-request"
        summary = "a Java server page that runs a request's parameter as a command"
        severity = "critical"
        reference = "https://attack.mitre.org/techniques/T1505/003/"
        applies = "jsp"
    strings:
        $key1 = "getRuntime"
        $key2 = "ProcessBuilder"
        $get = /request\s{0,4}\.\s{0,4}get(Parameter|Header|InputStream|Reader)/
        $run = /getRuntime\s{0,4}\(\s{0,4}\)\s{0,4}\.\s{0,4}exec\s{0,4}\(/
        $make = /new\s{1,4}(java\.lang\.)?ProcessBuilder\s{0,4}\(/
    condition:
        any of ($key*) and ($get and ($run or $make))
}

rule jsp_class_loader {
    meta:
        id = "jsp-class-loader"
        summary = "a Java server page that loads classes a request sends"
        severity = "critical"
        reference = "https://attack.mitre.org/techniques/T1505/003/"
        applies = "jsp"
    strings:
        $key = "defineClass"
        $loader = "ClassLoader"
        $get = /request\s{0,4}\.\s{0,4}get(Parameter|Reader|InputStream)/
        $a = "AES"
        $b = "Base64"
    condition:
        any of ($key*) and ($loader and $get and ($a or $b))
}

rule asp_evaluate_request {
    meta:
        id = "asp-evaluate-request"
        summary = "an active server page that evaluates what a request sends"
        severity = "critical"
        reference = "https://attack.mitre.org/techniques/T1505/003/"
        applies = "asp"
    strings:
        $key1 = "eval" nocase
        $key2 = "execute" nocase
        $a = /\b(eval|execute|executeglobal)\s{0,4}\(?\s{0,4}\(?\s{0,4}request\b/ nocase
    condition:
        any of ($key*) and ($a)
}

rule aspx_command_request {
    meta:
        id = "aspx-command-request"
        summary = "an active server page that starts programs or loads code for a request"
        severity = "critical"
        reference = "https://attack.mitre.org/techniques/T1505/003/"
        applies = "asp"
    strings:
        $key1 = "ProcessStartInfo"
        $key2 = "Process.Start"
        $key3 = "Assembly.Load"
        $get = /Request\s{0,4}(\.\s{0,4}(Form|QueryString|BinaryRead|Params|Headers|Cookies)|\[)/
        $shell = /(cmd(\.exe)?|powershell(\.exe)?|\/bin\/(ba)?sh)["' ]/ nocase
        $make = "CreateInstance"
    condition:
        any of ($key*) and ($get and ($shell or $make))
}

rule python_command_request {
    meta:
        id = "python-command-request"
        summary = "Python that runs or evaluates what a web request sends"
        severity = "high"
        reference = "https://attack.mitre.org/techniques/T1505/003/"
        applies = "python"
    strings:
        $key1 = "request."
        $key2 = "FieldStorage"
        $a = /\b(os\.system|os\.popen|subprocess\.(Popen|run|call|check_output|getoutput)|eval|exec)\s{0,4}\(\s{0,4}(\w{1,16}\s{0,4}\(\s{0,4})?(flask\.)?request\.(args|form|values|GET|POST|data|headers|cookies|json)\b/
        $b = /\b(os\.system|os\.popen|subprocess\.(Popen|run|call|check_output|getoutput)|eval|exec)\s{0,4}\(\s{0,4}\w{1,16}\.getvalue\(/
    condition:
        any of ($key*) and ($a or $b)
}

rule perl_command_request {
    meta:
        id = "perl-command-request"
        summary = "Perl that runs or evaluates a parameter of a web request"
        severity = "high"
        reference = "https://attack.mitre.org/techniques/T1505/003/"
        applies = "perl"
    strings:
        $key1 = "param("
        $key2 = "QUERY_STRING"
        $a = /\b(system|exec|eval|qx)\s{0,4}[({]?\s{0,4}(\$\w{1,16}->|CGI::)?param\s{0,4}\(/
        $b = /\b(system|exec|eval)\s{0,4}\(?\s{0,4}"?\$ENV\{['"]?QUERY_STRING/
        $c = /`\$ENV\{['"]?QUERY_STRING/
    condition:
        any of ($key*) and ($a or $b or $c)
}

rule node_command_request {
    meta:
        id = "node-command-request"
        summary = "JavaScript that runs or evaluates what a web request sends"
        severity = "high"
        reference = "https://attack.mitre.org/techniques/T1505/003/"
        applies = "javascript"
    strings:
        $key1 = "req.query"
        $key2 = "req.body"
        $key3 = "req.params"
        $key4 = "req.headers"
        $a = /\b(exec|execSync|spawn|spawnSync|eval|runInThisContext)\s{0,4}\(\s{0,4}req\.(query|body|params|headers)\b/
        $b = /child_process["']\)\.\w{1,10}\(\s{0,4}req\./
    condition:
        any of ($key*) and ($a or $b)
}
