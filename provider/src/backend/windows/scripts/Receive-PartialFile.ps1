#Requires -Version 5.1
<#
.SYNOPSIS
Takes one range of a file from stdin into the temporary file, and says what arrived.
.DESCRIPTION
Several runs write at once, each into its own range. The answer's length and hash are those of the bytes that arrived, so
that the sender knows what it need not send again; whether the whole file is right, Complete-PartialFile decides.
Runs inside _Envelope.ps1, which has the functions that the scripts share.
.PARAMETER Path
Where the file goes; inside the work folder. Initialize-PartialFile has made the temporary file beside it.
.PARAMETER FileLength
How long the whole file is.
.PARAMETER Offset
Where the range begins.
.PARAMETER Length
How many bytes follow on stdin.
#>
[CmdletBinding()]
param(
    [Parameter(Mandatory = $true)] [string] $Path,
    [Parameter(Mandatory = $true)] [long] $FileLength,
    [Parameter(Mandatory = $true)] [long] $Offset,
    [Parameter(Mandatory = $true)] [long] $Length
)

$partial = "$Path.partial"
try {
    Assert-WorkPath $Path
    Assert-WorkPath $partial
    if ($Offset -lt 0 -or $Length -lt 0 -or $Offset -gt $FileLength - $Length) { throw (New-Failure invalid_input "$Length bytes at $Offset are no range of a file of $FileLength bytes") }
    if (-not (Test-Path -LiteralPath $partial -PathType Leaf)) { throw (New-Failure not_found "$partial is not there; it was removed while the file was sent") }
    # Nobody may delete or rename it meanwhile: what is complete has no writer any more.
    $file = New-Object System.IO.FileStream (Resolve-NativePath $partial), ([System.IO.FileMode]::Open), ([System.IO.FileAccess]::Write), ([System.IO.FileShare]::ReadWrite)
    try {
        if ($file.Length -ne $FileLength) { throw (New-Failure precondition "$partial has $($file.Length) bytes instead of $FileLength; another transfer of the file is under way") }
        [void]$file.Seek($Offset, [System.IO.SeekOrigin]::Begin)
        $arrived = Copy-InputStream -File $file -Expected $Length
    }
    finally { $file.Close() }
    if ($arrived.Length -gt $Length) { throw (New-Failure invalid_input "more than the promised $Length bytes arrived") }
}
finally { Clear-InputStream }
[ordered]@{ length = $arrived.Length; sha256 = $arrived.Sha256 }
