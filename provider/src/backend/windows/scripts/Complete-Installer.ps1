#Requires -Version 5.1
<#
.SYNOPSIS
Collects the result of a finished installation and removes its task.
.DESCRIPTION
A log may hold passwords that were given as properties, so only lines of known forms are returned.
Runs inside _Envelope.ps1, which has the functions that the scripts share.
.PARAMETER InstallationId
The installation.
#>
[CmdletBinding()]
param(
    [Parameter(Mandatory = $true)] [string] $InstallationId
)

function Get-PermittedLine {
    # What may be shown of a log, at most 20 of it. Each pattern keeps only what it names.
    param([string] $Path)
    if (-not (Test-Path -LiteralPath $Path -PathType Leaf)) { return }
    $permitted = @(
        '(?<=-- )(Installation|Configuration|Removal) (operation )?(completed successfully|failed|failed with error \d+)\b'
        '\bMainEngineThread is returning \d+'
        '\bAction ended [\d:]+: \w+\. Return value 3\b'
        '(?<=\s|^)Error \d{4}\b'
        'Microsoft Visual C\+\+ 2015 Redistributable Update 1 or higher is required'
        '(?<=\s|^)Exit code: (0x)?[0-9A-Fa-f]+'
    )
    $lines = foreach ($line in [System.IO.File]::ReadLines((Resolve-NativePath $Path))) {
        foreach ($pattern in $permitted) { if ($line -match $pattern) { $Matches[0]; break } }
    }
    $lines | Select-Object -Unique | Select-Object -Last 20
}

Assert-PlainName $InstallationId 'installation'
$folder = (Get-WorkFolder) + "\installers\$InstallationId"
if (-not (Test-Path -LiteralPath "$folder\installer.json")) { throw (New-Failure not_found "no installation $InstallationId was started on this host") }
$tasks = @(Get-OwnTask | Where-Object { $_.TaskName -eq $InstallationId })
if (-not (Test-Path -LiteralPath "$folder\exit.json")) {
    if (@($tasks | Where-Object { [string]$_.State -in 'Running', 'Queued' }).Count) { throw (New-Failure busy "the installation $InstallationId still runs") }
    throw (New-Failure precondition "the installation $InstallationId was interrupted before it had a result (a restart of the host, or its task was ended)")
}
$record = ConvertFrom-Json -InputObject (Get-Content -LiteralPath "$folder\exit.json" -Raw -Encoding UTF8)
$lines = @(Get-PermittedLine "$folder\install.log")
if ($record.PSObject.Properties['problem'] -and $record.problem) { $lines += [string]$record.problem }
if ($tasks.Count) { Unregister-ScheduledTask -TaskPath $installerTasks -TaskName $InstallationId -Confirm:$false }
$code = [long]$record.exit_code
[ordered]@{ exit_code = $code; reboot_required = $code -in 3010, 1641; log = @($lines) }
