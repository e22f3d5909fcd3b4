#Requires -Version 5.1
<#
.SYNOPSIS
Writes a file to stdout as lines of base64, then says its length and hash.
.DESCRIPTION
Runs inside _Envelope.ps1, which has the functions that the scripts share.
.PARAMETER Path
The file.
.PARAMETER MaximumLength
The most bytes that the receiver takes; a longer file is refused before anything is sent.
#>
[CmdletBinding()]
param(
    [Parameter(Mandatory = $true)] [string] $Path,
    [Parameter(Mandatory = $true)] [long] $MaximumLength
)

if (-not (Test-Path -LiteralPath $Path -PathType Leaf)) { throw (New-Failure not_found "$Path does not exist") }
$length = Get-FileLength $Path
if ($length -gt $MaximumLength) { throw (New-Failure invalid_input "$Path has $length bytes; at most $MaximumLength are taken") }
$hash = [System.Security.Cryptography.SHA256]::Create()
$file = New-Object System.IO.FileStream (Resolve-NativePath $Path), ([System.IO.FileMode]::Open), ([System.IO.FileAccess]::Read), ([System.IO.FileShare]::Read)
try {
    $buffer = New-Object byte[] 32768
    $sent = [long]0
    # Filled as far as the file goes, so that every line but the last is whole.
    while (($count = Read-Block -File $file -Buffer $buffer -Length $buffer.Length) -gt 0) {
        [void]$hash.TransformBlock($buffer, 0, $count, $null, 0)
        [Console]::Out.WriteLine('AZUREMFA-DATA:' + [Convert]::ToBase64String($buffer, 0, $count))
        $sent += $count
    }
    [void]$hash.TransformFinalBlock($buffer, 0, 0)
}
finally { $file.Close() }
[ordered]@{ length = $sent; sha256 = ConvertTo-Hexadecimal $hash.Hash }
