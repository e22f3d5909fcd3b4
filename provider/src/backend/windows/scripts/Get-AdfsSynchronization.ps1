#Requires -Version 5.1
<#
.SYNOPSIS
Says which part a server plays in its AD FS farm and when it last read the configuration from the primary.
.DESCRIPTION
In a farm on SQL Server every server reads the same database; the role is then null.
Runs inside _Envelope.ps1, which has the functions that the scripts share.
#>
[CmdletBinding()]
param()

$service = Get-HostService 'adfssrv'
if ($null -eq $service) { throw (New-Failure not_found 'AD FS is not installed on this host') }
if ($service.State -ne 'Running') { throw (New-Failure precondition "AD FS does not run on this host (its service is $($service.State)), so it cannot be asked") }
$answer = [ordered]@{ role = $null; now = Format-Utc ([datetime]::UtcNow); last_sync_time = $null; last_sync_status = $null; poll_seconds = $null; primary = $null }
if ((Get-AdfsDatabase) -eq 'sql') { return $answer }
$synchronization = Get-AdfsSyncProperties
$answer.role = [string]$synchronization.Role
if ($answer.role -eq 'SecondaryComputer') {
    if ($synchronization.LastSyncTime) { $answer.last_sync_time = Format-Utc $synchronization.LastSyncTime }
    if ($null -ne $synchronization.LastSyncStatus) { $answer.last_sync_status = [int]$synchronization.LastSyncStatus }
    $answer.poll_seconds = [int]$synchronization.PollDuration
    $answer.primary = [string]$synchronization.PrimaryComputerName
}
$answer
