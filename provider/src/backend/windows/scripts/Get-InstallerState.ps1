#Requires -Version 5.1
<#
.SYNOPSIS
Says whether an installation runs, has finished, was interrupted or was never started.
.DESCRIPTION
Runs inside _Envelope.ps1, which has the functions that the scripts share.
.PARAMETER InstallationId
The installation.
#>
[CmdletBinding()]
param(
    [Parameter(Mandatory = $true)] [string] $InstallationId
)

Assert-PlainName $InstallationId 'installation'
$exit = (Get-WorkFolder) + "\installers\$InstallationId\exit.json"
$running = $false
if (-not (Test-Path -LiteralPath $exit)) {
    $running = [bool]@(Get-OwnTask | Where-Object { $_.TaskName -eq $InstallationId -and [string]$_.State -in 'Running', 'Queued' }).Count
}
# Looked at after the task: one that ends in between leaves its file first.
if (Test-Path -LiteralPath $exit) {
    $record = ConvertFrom-Json -InputObject (Get-Content -LiteralPath $exit -Raw -Encoding UTF8)
    return [ordered]@{ state = 'finished'; exit_code = [long]$record.exit_code }
}
if ($running) { return [ordered]@{ state = 'running'; exit_code = $null } }
$known = Test-Path -LiteralPath ((Get-WorkFolder) + "\installers\$InstallationId\installer.json")
[ordered]@{ state = $(if ($known) { 'interrupted' } else { 'missing' }); exit_code = $null }
