# Reads header, envelope, script and arguments from stdin; refuses old PowerShell.
# Must parse on PowerShell 2.0.
$ErrorActionPreference = 'Stop'
$ProgressPreference = 'SilentlyContinue'
$stdin = [Console]::OpenStandardInput()
$header = ''
while ($true) {
    $byte = $stdin.ReadByte()
    if ($byte -lt 0) { throw 'the header ended early' }
    if ($byte -eq 10) { break }
    $header += [char]$byte
}
$field = $header.Split(' ')
if ($field.Length -ne 6 -or $field[0] -ne 'azuremfa' -or $field[1] -ne '1') { throw 'unknown header' }
$part = @()
foreach ($size in $field[3], $field[4], $field[5]) {
    $buffer = New-Object byte[] ([int]$size)
    $have = 0
    while ($have -lt $buffer.Length) {
        $count = $stdin.Read($buffer, $have, $buffer.Length - $have)
        if ($count -le 0) { throw 'a part ended early' }
        $have += $count
    }
    $part += [Text.Encoding]::UTF8.GetString($buffer)
}
$found = $PSVersionTable.PSVersion
if ($found.Major * 100 + $found.Minor -lt 501) {
    $text = "PowerShell $($found.Major).$($found.Minor) was found; Windows PowerShell 5.1 or later is needed. Install Windows Management Framework 5.1, which needs .NET Framework 4.5.2 or later."
    $name = $field[2] -replace '[^A-Za-z-]', ''
    [Console]::Out.WriteLine("AZUREMFA-REPLY:{`"ok`":false,`"script`":`"$name`",`"error`":{`"kind`":`"powershell_too_old`",`"message`":`"$text`",`"line`":null}}")
}
else {
    & ([ScriptBlock]::Create($part[0])) $field[2] $part[1] $part[2] $stdin
}
