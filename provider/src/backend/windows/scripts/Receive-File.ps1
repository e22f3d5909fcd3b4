#Requires -Version 5.1
<#
.SYNOPSIS
Takes a file from stdin into the work folder and keeps it only when length and hash are the promised ones.
.DESCRIPTION
The bytes follow the arguments on the same stream. They go to a temporary name; nothing is left behind on failure.
Runs inside _Envelope.ps1, which has the functions that the scripts share.
.PARAMETER Path
Where the file goes; inside the work folder.
.PARAMETER Length
How many bytes follow.
.PARAMETER Sha256
The hash that the file must have.
#>
[CmdletBinding()]
param(
    [Parameter(Mandatory = $true)] [string] $Path,
    [Parameter(Mandatory = $true)] [long] $Length,
    [Parameter(Mandatory = $true)] [string] $Sha256
)

function Save-InputStream {
    # Writes what is left of stdin to the file, at most one byte more than promised is looked at. Returns the count.
    param([string] $Native, [long] $Expected)
    $buffer = New-Object byte[] 65536
    $total = [long]0
    $file = New-Object System.IO.FileStream $Native, ([System.IO.FileMode]::Create), ([System.IO.FileAccess]::Write), ([System.IO.FileShare]::None)
    try {
        while (($count = $InputStream.Read($buffer, 0, $buffer.Length)) -gt 0) {
            $total += $count
            if ($total -gt $Expected) { break }
            $file.Write($buffer, 0, $count)
        }
    }
    finally { $file.Close() }
    $total
}

function Clear-InputStream {
    # The sender must be able to finish, whether or not its bytes are needed.
    $buffer = New-Object byte[] 65536
    do { $count = $InputStream.Read($buffer, 0, $buffer.Length) } while ($count -gt 0)
}

$Sha256 = $Sha256.ToLowerInvariant()
try {
    if ($Sha256 -notmatch '^[0-9a-f]{64}$') { throw (New-Failure invalid_input 'a SHA-256 hash has 64 hexadecimal digits') }
    Assert-WorkPath $Path
    if ((Test-Path -LiteralPath $Path -PathType Leaf) -and (Get-FileLength $Path) -eq $Length -and (Get-Sha256 $Path) -eq $Sha256) {
        return [ordered]@{ already = $true; length = $Length; sha256 = $Sha256 }
    }
    [void](Initialize-WorkFolder)
    $folder = $Path.Substring(0, $Path.LastIndexOf('\'))
    if (-not (Test-Path -LiteralPath $folder)) { [void](New-Item -ItemType Directory -Path $folder -Force) }
    $partial = "$Path.partial"
    try {
        $count = Save-InputStream -Native (Resolve-NativePath $partial) -Expected $Length
        if ($count -lt $Length) { throw (New-Failure invalid_input "$count of $Length bytes arrived; nothing was kept") }
        if ($count -gt $Length) { throw (New-Failure invalid_input "more than the promised $Length bytes arrived; nothing was kept") }
        $found = Get-Sha256 $partial
        if ($found -ne $Sha256) { throw (New-Failure invalid_input "what arrived has the SHA-256 hash $found instead of $Sha256; nothing was kept") }
        Move-Item -LiteralPath $partial -Destination $Path -Force
    }
    finally {
        if (Test-Path -LiteralPath $partial) { Remove-Item -LiteralPath $partial -Force }
    }
}
finally { Clear-InputStream }
[ordered]@{ already = $false; length = $Length; sha256 = $Sha256 }
