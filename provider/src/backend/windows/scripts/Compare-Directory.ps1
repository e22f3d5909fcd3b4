#Requires -Version 5.1
<#
.SYNOPSIS
Says by hash which files of a folder differ from its backup.
.DESCRIPTION
The open backup counts, else the newest closed one.
Runs inside _Envelope.ps1, which has the functions that the scripts share.
.PARAMETER Path
The folder that was backed up.
.PARAMETER BackupId
The upgrade that the backup belongs to.
.PARAMETER Name
What the copy is called in the backup.
.PARAMETER Subfolder
Only this folder below both; all when not given.
#>
[CmdletBinding()]
param(
    [Parameter(Mandatory = $true)] [string] $Path,
    [Parameter(Mandatory = $true)] [string] $BackupId,
    [Parameter(Mandatory = $true)] [string] $Name,
    [string] $Subfolder
)

function Get-HashTable {
    # Hash by relative name; empty when the folder does not exist.
    param([string] $Folder)
    $table = @{}
    if (Test-Path -LiteralPath $Folder -PathType Container) {
        foreach ($file in @(Get-RelativeFile $Folder)) { $table[$file.Name] = Get-Sha256 $file.Path }
    }
    $table
}

if ($Subfolder) {
    foreach ($part in $Subfolder.Split('\')) {
        if ($part -eq '' -or $part -match '^\.+$|[/:*?"<>|]') { throw (New-Failure invalid_input "the subfolder $Subfolder is not written plainly") }
    }
}
$backup = Get-BackupFolder -BackupId $BackupId -Name $Name | Select-Object -First 1
if (-not $backup) { throw (New-Failure precondition "there is no complete backup $Name of $BackupId on this host") }
$below = if ($Subfolder) { "\$Subfolder" } else { '' }
$old = Get-HashTable "$backup$below"
$new = Get-HashTable ($Path.TrimEnd('\') + $below)
[ordered]@{
    changed = @(Get-SortedName @($old.Keys | Where-Object { $new.ContainsKey($_) -and $new[$_] -ne $old[$_] }))
    missing = @(Get-SortedName @($old.Keys | Where-Object { -not $new.ContainsKey($_) }))
    added = @(Get-SortedName @($new.Keys | Where-Object { -not $old.ContainsKey($_) }))
}
