#Requires -Version 5.1
<#
.SYNOPSIS
Restarts AD FS and says which authentication providers it could not load since.
.DESCRIPTION
Event 105 in the log AD FS/Admin tells of a provider that failed to load, once for each of AD FS's pipelines.
Runs inside _Envelope.ps1, which has the functions that the scripts share.
#>
[CmdletBinding()]
param()

function Get-LoadError {
    # Different messages since a time. No events is an error of the cmdlet and none of ours.
    param([datetime] $Since)
    $problems = $null
    $events = @(Get-WinEvent -FilterHashtable @{ LogName = 'AD FS/Admin'; Id = 105; StartTime = $Since } -ErrorAction SilentlyContinue -ErrorVariable problems)
    Assert-OnlyAbsence $problems
    $events | ForEach-Object { [string]$_.Message } | Select-Object -Unique
}

if (-not (Get-HostService 'adfssrv')) { throw (New-Failure not_found 'AD FS is not installed on this host') }
$now = [datetime]::UtcNow
# Whole seconds: some logs keep no finer time.
$since = $now.AddTicks( - ($now.Ticks % [TimeSpan]::TicksPerSecond))
Restart-Service -Name adfssrv -Force
$started = Get-ServiceStart 'adfssrv'
if (-not $started) { throw (New-Failure other 'AD FS was restarted and does not run; look at the log AD FS/Admin') }
[ordered]@{ started_at = $started; load_errors = @(Get-LoadError $since) }
