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

try {
    $file = Open-PartialRange -Path $Path -FileLength $FileLength -Offset $Offset -Length $Length -Access Write
    try { $arrived = Copy-InputStream -File $file -Expected $Length }
    finally { $file.Close() }
    if ($arrived.Length -gt $Length) { throw (New-Failure invalid_input "more than the promised $Length bytes arrived") }
}
finally { Clear-InputStream }
[ordered]@{ length = $arrived.Length; sha256 = $arrived.Sha256 }
