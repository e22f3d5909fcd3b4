<#
.SYNOPSIS
Serves calls one after the other until stdin ends, so that PowerShell starts once.
.DESCRIPTION
Sent in the place of the envelope. A frame on stdin is a header line and what it announces:
  call NUMBER SCRIPT ENVELOPE-LENGTH SCRIPT-LENGTH ARGUMENTS-LENGTH announced|silent
  repeat NUMBER
Texts that came before have the length 0. An announced call is answered by AZUREMFA-BEGIN:NUMBER before anything of it runs. Its end is
the envelope's reply, or AZUREMFA-END:NUMBER when there was none. "repeat" gives the reply of the last call again.
Variables and functions of a call end with it; modules stay loaded.
#>
param(
    [string] $ScriptName,
    [string] $ScriptText,
    [string] $ArgumentText,
    [System.IO.Stream] $InputStream
)
Set-StrictMode -Version 2
$ErrorActionPreference = 'Stop'
$ProgressPreference = 'SilentlyContinue'

function Read-WorkerLine {
    # Null at the end of stdin, which may also cut a frame off.
    $line = New-Object System.Text.StringBuilder
    while (($byte = $InputStream.ReadByte()) -ge 0) {
        if ($byte -eq 10) { return $line.ToString() }
        [void]$line.Append([char]$byte)
    }
    $null
}

function Read-WorkerText {
    param([int] $Length)
    $buffer = New-Object byte[] $Length
    $have = 0
    while ($have -lt $Length) {
        $count = $InputStream.Read($buffer, $have, $Length - $have)
        if ($count -le 0) { throw 'a frame ended early' }
        $have += $count
    }
    [System.Text.Encoding]::UTF8.GetString($buffer)
}

$workerEnvelope = $null
$workerScripts = @{}
$workerCall = @{ number = [long]0; reply = $null }
while ($null -ne ($workerLine = Read-WorkerLine)) {
    $workerField = $workerLine.Split(' ')
    if ($workerField[0] -eq 'repeat' -and $workerField.Length -eq 2) {
        if ($workerCall['number'] -eq [long]$workerField[1] -and $workerCall['reply']) { [Console]::Out.WriteLine($workerCall['reply']) }
        else { [Console]::Out.WriteLine("AZUREMFA-END:$($workerField[1])") }
        continue
    }
    if ($workerField[0] -ne 'call' -or $workerField.Length -ne 7) { throw 'unknown frame' }
    $workerTexts = @(foreach ($workerLength in $workerField[3..5]) { Read-WorkerText -Length $workerLength })
    if ($workerTexts[0]) { $workerEnvelope = [ScriptBlock]::Create($workerTexts[0]) }
    if ($workerTexts[1]) { $workerScripts[$workerField[2]] = $workerTexts[1] }
    $workerCall = @{ number = [long]$workerField[1]; reply = $null }
    if ($workerField[6] -eq 'announced') { [Console]::Out.WriteLine("AZUREMFA-BEGIN:$($workerField[1])") }
    try { & $workerEnvelope $workerField[2] $workerScripts[$workerField[2]] $workerTexts[2] ([System.IO.Stream]::Null) $workerCall }
    catch { [Console]::Error.WriteLine($_.FullyQualifiedErrorId) }
    # What a failure left to be looked at is memory that nobody frees.
    $Error.Clear()
    if (-not $workerCall['reply']) { [Console]::Out.WriteLine("AZUREMFA-END:$($workerField[1])") }
}
