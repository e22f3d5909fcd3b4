#Requires -Version 5.1
<#
.SYNOPSIS
Moves a file whose ranges have all arrived into place, when its length and hash are the promised ones.
.DESCRIPTION
Otherwise nothing is left behind. Does nothing when the very file is there already.
Runs inside _Envelope.ps1, which has the functions that the scripts share.
.PARAMETER Path
Where the file goes; inside the work folder.
.PARAMETER Length
How long the file is.
.PARAMETER Sha256
The hash that the file must have.
#>
[CmdletBinding()]
param(
    [Parameter(Mandatory = $true)] [string] $Path,
    [Parameter(Mandatory = $true)] [long] $Length,
    [Parameter(Mandatory = $true)] [string] $Sha256
)

function Get-UnwrittenSha256 {
    # The hash of a file that nobody has open for writing; fails as busy when somebody has.
    param([string] $Path)
    $hash = New-Sha256
    $file = New-Object System.IO.FileStream (Resolve-NativePath $Path), ([System.IO.FileMode]::Open), ([System.IO.FileAccess]::Read), ([System.IO.FileShare]::Read)
    try { ConvertTo-Hexadecimal $hash.ComputeHash($file) }
    finally { $file.Close() }
}

$Sha256 = $Sha256.ToLowerInvariant()
Assert-Sha256 $Sha256
$partial = "$Path.partial"
Assert-WorkPath $Path
Assert-WorkPath $partial
if (-not (Test-Path -LiteralPath $partial -PathType Leaf)) {
    # The answer of the run that moved it may have been lost.
    if (Test-ReceivedFile $Path $Length $Sha256) { return [ordered]@{ already = $true; length = $Length; sha256 = $Sha256 } }
    throw (New-Failure not_found "$partial is not there; it was removed while the file was sent")
}
$found = Get-UnwrittenSha256 $partial
if ($found -ne $Sha256) {
    Remove-Item -LiteralPath $partial -Force
    throw (New-Failure invalid_input "what arrived has the SHA-256 hash $found instead of $Sha256; nothing was kept")
}
Move-Item -LiteralPath $partial -Destination $Path -Force
[ordered]@{ already = $false; length = $Length; sha256 = $Sha256 }
