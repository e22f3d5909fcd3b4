#Requires -Version 5.1
<#
.SYNOPSIS
Copies a folder tree into the protected backups and proves every file of the copy by its hash.
.DESCRIPTION
The manifest beside the copy is written last, so its presence means that the copy is complete. A copy without one is made anew.
A complete copy is kept, because after a setup has run it alone has what was there before.
Runs inside _Envelope.ps1, which has the functions that the scripts share.
.PARAMETER Source
The folder to copy.
.PARAMETER BackupId
The upgrade that the backup belongs to.
.PARAMETER Name
What the copy is called in the backup.
.PARAMETER Fresh
The setup that replaces these files has not run yet, so the source is what has to be kept: a complete copy that differs from it is
of an upgrade that was given up. It stays under another name, and a new copy is made.
#>
[CmdletBinding()]
param(
    [Parameter(Mandatory = $true)] [string] $Source,
    [Parameter(Mandatory = $true)] [string] $BackupId,
    [Parameter(Mandatory = $true)] [string] $Name,
    [bool] $Fresh = $false
)

function Test-SameFile {
    # Whether a folder holds exactly the files of a manifest.
    param([object[]] $Copied, [string] $Folder)
    $present = @(Get-RelativeFile $Folder)
    if ($present.Count -ne $Copied.Count) { return $false }
    $hashes = @{}
    foreach ($file in $Copied) { $hashes[[string]$file.name] = [string]$file.sha256 }
    foreach ($file in $present) {
        if ($hashes[$file.Name] -ne (Get-Sha256 $file.Path)) { return $false }
    }
    $true
}

function Copy-ProvenFile {
    # Copies until the copy equals a source that held still, so that a file written to meanwhile is never half old.
    param([string] $From, [string] $To)
    foreach ($attempt in 1..3) {
        Copy-Item -LiteralPath $From -Destination $To -Force
        $hash = Get-Sha256 $To
        if ((Get-Sha256 $From) -eq $hash) { return $hash }
        Write-HostLog -Level debug -Message "$From changed while it was copied (attempt $attempt of 3)"
    }
    throw (New-Failure busy "$From kept changing while it was copied")
}

Assert-PlainName $BackupId 'backup'
Assert-PlainName $Name 'backup'
$folder = (Get-WorkFolder) + "\backups\$BackupId"
$target = "$folder\$Name"
$manifest = "$target.manifest.json"
$isThere = Test-Path -LiteralPath $Source -PathType Container
$isComplete = (Test-Path -LiteralPath $manifest -PathType Leaf) -and (Test-Path -LiteralPath $target -PathType Container)
if ($isComplete) {
    $record = ConvertFrom-Json -InputObject (Get-Content -LiteralPath $manifest -Raw -Encoding UTF8)
    if (-not $Fresh -or ($isThere -and (Test-SameFile -Copied @($record.files) -Folder $Source))) {
        return [ordered]@{ path = $target; files = [int]@($record.files).Count; bytes = [long]$record.bytes; already = $true }
    }
}
if (-not $isThere) { throw (New-Failure not_found "the folder $Source does not exist") }

[void](Initialize-WorkFolder)
if (-not (Test-Path -LiteralPath $folder)) { [void](New-Item -ItemType Directory -Path $folder) }
Assert-WorkPath $target
if ($isComplete) {
    # The copy first: a manifest alone counts for nothing, but a copy alone would be removed as half made.
    $superseded = Get-StampedPath "$target-superseded"
    Move-Item -LiteralPath $target -Destination $superseded
    Move-Item -LiteralPath $manifest -Destination "$superseded.manifest.json"
    Write-HostLog -Level info -Message "$target was of an earlier upgrade and differed from $Source; it is $superseded now"
}
elseif (Test-Path -LiteralPath $manifest) { Remove-Item -LiteralPath $manifest -Force }
if (Test-Path -LiteralPath $target) {
    Write-HostLog -Level info -Message "$target was not complete; it is made anew"
    Remove-Item -LiteralPath $target -Recurse -Force
}
[void](New-Item -ItemType Directory -Path $target)
$root = (Get-Item -LiteralPath $Source -Force).FullName.TrimEnd('\', '/')
foreach ($item in @(Get-ChildItem -LiteralPath $Source -Recurse -Force -Directory)) {
    $relative = $item.FullName.Substring($root.Length + 1).Replace('/', '\')
    if (-not (Test-Path -LiteralPath "$target\$relative")) { [void](New-Item -ItemType Directory -Path "$target\$relative" -Force) }
}
$bytes = [long]0
$files = foreach ($file in @(Get-RelativeFile $Source)) {
    $copy = "$target\$($file.Name)"
    $hash = Copy-ProvenFile -From $file.Path -To $copy
    $length = Get-FileLength $copy
    $bytes += $length
    [ordered]@{ name = $file.Name; length = $length; sha256 = $hash }
}
$record = [ordered]@{ source = $Source; bytes = $bytes; files = @($files) }
Write-TextFile -Path $manifest -Text (ConvertTo-AsciiJson $record)
[ordered]@{ path = $target; files = [int]@($files).Count; bytes = $bytes; already = $false }
