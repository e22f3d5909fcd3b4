#Requires -Version 5.1
<#
.SYNOPSIS
Closes the open backup of an upgrade, so that the next upgrade makes a new one.
.DESCRIPTION
The folder gets the time into its name. Nothing in it changes. Without an open backup there is nothing to do.
Runs inside _Envelope.ps1, which has the functions that the scripts share.
.PARAMETER BackupId
The upgrade that the backup belongs to.
#>
[CmdletBinding()]
param(
    [Parameter(Mandatory = $true)] [string] $BackupId
)

Assert-PlainName $BackupId 'backup'
$backups = (Get-WorkFolder) + '\backups'
if (-not (Test-Path -LiteralPath "$backups\$BackupId")) {
    $newest = if (Test-Path -LiteralPath $backups) { Get-ClosedBackup $BackupId | Select-Object -Last 1 }
    return [ordered]@{ path = $(if ($newest) { "$backups\$newest" } else { $null }); already = $true }
}
Assert-WorkPath "$backups\$BackupId"
$closed = Get-StampedPath "$backups\$BackupId"
Move-Item -LiteralPath "$backups\$BackupId" -Destination $closed
[ordered]@{ path = $closed; already = $false }
