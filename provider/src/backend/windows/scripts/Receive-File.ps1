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

$Sha256 = $Sha256.ToLowerInvariant()
try {
    Assert-Sha256 $Sha256
    Assert-WorkPath $Path
    if (Test-ReceivedFile $Path $Length $Sha256) {
        return [ordered]@{ already = $true; length = $Length; sha256 = $Sha256 }
    }
    [void](Initialize-WorkFolder)
    $folder = $Path.Substring(0, $Path.LastIndexOf('\'))
    if (-not (Test-Path -LiteralPath $folder)) { [void](New-Item -ItemType Directory -Path $folder -Force) }
    $partial = "$Path.partial"
    try {
        $file = New-Object System.IO.FileStream (Resolve-NativePath $partial), ([System.IO.FileMode]::Create), ([System.IO.FileAccess]::Write), ([System.IO.FileShare]::None)
        try { $count = (Copy-InputStream -File $file -Expected $Length).Length }
        finally { $file.Close() }
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
