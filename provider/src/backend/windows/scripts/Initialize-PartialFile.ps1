#Requires -Version 5.1
<#
.SYNOPSIS
Prepares the temporary file into which several runs of Receive-PartialFile write a file's ranges.
.DESCRIPTION
Does nothing when the very file is there already. What a transfer that was cut off left under the temporary name is kept when
it has the right length: the sender asks Get-PartialFile what of it can be used. Otherwise it is deleted.
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

$Sha256 = $Sha256.ToLowerInvariant()
Assert-Sha256 $Sha256
if ($Length -lt 0) { throw (New-Failure invalid_input 'a length is not negative') }
$partial = "$Path.partial"
Assert-WorkPath $Path
Assert-WorkPath $partial
if (Test-ReceivedFile $Path $Length $Sha256) { return [ordered]@{ already = $true; kept = $false } }
[void](Initialize-WorkFolder)
$folder = $Path.Substring(0, $Path.LastIndexOf('\'))
if (-not (Test-Path -LiteralPath $folder)) { [void](New-Item -ItemType Directory -Path $folder -Force) }
if (Test-Path -LiteralPath $partial) {
    # Opened for this process alone: one that was cut off and still writes ends first.
    $file = New-Object System.IO.FileStream (Resolve-NativePath $partial), ([System.IO.FileMode]::Open), ([System.IO.FileAccess]::Write), ([System.IO.FileShare]::None)
    try { $fits = $file.Length -eq $Length }
    finally { $file.Close() }
    if ($fits) { return [ordered]@{ already = $false; kept = $true } }
    Remove-Item -LiteralPath $partial -Force
}
# Said before hours of sending; where quotas count as well, the file system refuses below.
$drive = New-Object System.IO.DriveInfo (Resolve-NativePath $folder)
if ($drive.AvailableFreeSpace -lt $Length) { throw (New-Failure precondition "the volume of $folder has not the $Length free bytes that the file needs") }
$file = New-Object System.IO.FileStream (Resolve-NativePath $partial), ([System.IO.FileMode]::CreateNew), ([System.IO.FileAccess]::Write), ([System.IO.FileShare]::None)
$whole = $false
try {
    $file.SetLength($Length)
    $whole = $true
}
finally {
    $file.Close()
    if (-not $whole) { Remove-Item -LiteralPath $partial -Force }
}
[ordered]@{ already = $false; kept = $false }
