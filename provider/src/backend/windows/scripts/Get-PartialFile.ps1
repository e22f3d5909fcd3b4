#Requires -Version 5.1
<#
.SYNOPSIS
Says how much of a range of the temporary file has been written, and which SHA-256 hash that has.
.DESCRIPTION
Initialize-PartialFile makes the file of zeros and Receive-PartialFile writes a range from its start on, so what was written
ends with the range's last byte that is not zero. Zeros at the end of what was sent count as not written, and what a
Receive-PartialFile that was cut off had not handed to the system is not in the file: both are sent again. Blocks that
were lost in between show in the hash, which the sender compares with its own file's.
Runs inside _Envelope.ps1, which has the functions that the scripts share.
.PARAMETER Path
Where the file goes; inside the work folder.
.PARAMETER FileLength
How long the whole file is.
.PARAMETER Offset
Where the range begins.
.PARAMETER Length
How long the range is.
#>
[CmdletBinding()]
param(
    [Parameter(Mandatory = $true)] [string] $Path,
    [Parameter(Mandatory = $true)] [long] $FileLength,
    [Parameter(Mandatory = $true)] [long] $Offset,
    [Parameter(Mandatory = $true)] [long] $Length
)

function Get-WrittenLength {
    param([System.IO.Stream] $File)
    # Each byte as one character: trimming a string takes no loop in PowerShell.
    $latin = [System.Text.Encoding]::GetEncoding(28591)
    $buffer = New-Object byte[] 1048576
    for ($end = $Offset + $Length; $end -gt $Offset; $end = $start) {
        $start = [Math]::Max($Offset, $end - $buffer.Length)
        [void]$File.Seek($start, [System.IO.SeekOrigin]::Begin)
        $count = Read-Block -File $File -Buffer $buffer -Length ($end - $start)
        $used = $latin.GetString($buffer, 0, $count).TrimEnd([char]0).Length
        if ($used -gt 0) { return $start + $used - $Offset }
    }
    [long]0
}

function Get-PrefixSha256 {
    param([System.IO.Stream] $File, [long] $Written)
    $hash = [System.Security.Cryptography.SHA256]::Create()
    $buffer = New-Object byte[] 1048576
    [void]$File.Seek($Offset, [System.IO.SeekOrigin]::Begin)
    for ($left = $Written; $left -gt 0; $left -= $count) {
        $count = Read-Block -File $File -Buffer $buffer -Length ([Math]::Min($left, [long]$buffer.Length))
        if ($count -eq 0) { throw (New-Failure precondition "$partial has become shorter while it was read") }
        [void]$hash.TransformBlock($buffer, 0, $count, $null, 0)
    }
    [void]$hash.TransformFinalBlock($buffer, 0, 0)
    ConvertTo-Hexadecimal $hash.Hash
}

$partial = "$Path.partial"
$file = Open-PartialRange -Path $Path -FileLength $FileLength -Offset $Offset -Length $Length -Access Read
try {
    $written = Get-WrittenLength $file
    [ordered]@{ length = $written; sha256 = Get-PrefixSha256 -File $file -Written $written }
}
finally { $file.Close() }
