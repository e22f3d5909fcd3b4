#Requires -Version 5.1
<#
.SYNOPSIS
Says what keeps an upgrade from working on a host: rights, language mode, quotas of WinRM, clock and room on the system drive,
and how far the logon reaches.
.DESCRIPTION
Changes nothing. A quota is null when the host does not let this account read it.
Runs inside _Envelope.ps1, which has the functions that the scripts share.
#>
[CmdletBinding()]
param()

function Get-Quota {
    param([string] $ResourceUri, [string] $Name)
    # Not every version has every value, a policy may hide them, and none of that is a reason to end.
    try { [long](Get-WSManInstance -ResourceURI $ResourceUri).$Name }
    catch { Write-HostLog -Level debug -Message "$Name is not readable: $($_.Exception.Message)" }
}

function Get-SecondHop {
    # Whether the host can act elsewhere as the account that logged on, or why that was not tried.
    $groups = Get-TokenGroup
    $hop = [ordered]@{ network_logon = $groups -match '"S-1-5-2"'; share = $null; outcome = $null; problem = $null }
    $system = Get-CimInstance -ClassName Win32_ComputerSystem
    $role = [int]$system.DomainRole
    if ($role -in 0, 2) { $hop['outcome'] = 'no_domain' }
    # It has the file itself.
    elseif ($role -in 4, 5) { $hop['outcome'] = 'domain_controller' }
    # An account of the domain may have the same name and another password, to which this would be a failed logon.
    elseif ($groups -match '"S-1-5-113"') { $hop['outcome'] = 'local_account' }
    else {
        $hop['share'] = "\\$($system.Domain)\SYSVOL"
        $trial = Open-DomainPolicy ([string]$system.Domain)
        $hop['outcome'] = $trial['outcome']
        $hop['problem'] = $trial['problem']
    }
    $hop
}

function Open-DomainPolicy {
    # Opens the file with which the default policy of every domain begins, which all its accounts may read, and closes it again.
    # It is asked for as a web resource because that is what .NET gives up after a time: a share that does not answer would hold
    # the call for minutes.
    param([string] $Domain)
    $seconds = 15
    try {
        $request = [System.Net.WebRequest]::Create("file://$Domain/SYSVOL/$Domain/Policies/{31B2F340-016D-11D2-945F-00C04FB984F9}/GPT.INI")
        $request.Timeout = $seconds * 1000
        $request.GetResponse().Close()
        return @{ outcome = 'opened'; problem = $null }
    }
    catch { $cause = $_.Exception.GetBaseException() }
    if ($cause -is [System.UnauthorizedAccessException]) { return @{ outcome = 'refused'; problem = $null } }
    $problem = $cause.Message.Trim().TrimEnd('.')
    if ($cause -is [System.IO.IOException]) {
        $number = $cause.HResult -band 0xffff
        # Access to the network, the workstation, guests, no logon session, logon failure, restriction, logon type, firewall of a trust.
        if ($number -in 65, 1240, 1272, 1312, 1326, 1327, 1385, 1935) { return @{ outcome = 'refused'; problem = $null } }
        $problem = "$problem (error $number)"
    }
    elseif ($cause -is [System.Net.WebException] -and $cause.Status -eq [System.Net.WebExceptionStatus]::Timeout) { $problem = "no answer within $seconds s" }
    @{ outcome = 'unreachable'; problem = $problem }
}

# Before the clock is read: it may take its time.
$hop = Get-SecondHop
$system = Get-CimInstance -ClassName Win32_OperatingSystem
$drive = Get-CimInstance -ClassName Win32_LogicalDisk -Filter "DeviceID='$env:SystemDrive'"
if ($null -eq $drive) { throw (New-Failure not_found "there is no drive $env:SystemDrive") }
[ordered]@{
    computer_name = $env:COMPUTERNAME
    operating_system = ([string]$system.Caption).Trim()
    powershell_version = $PSVersionTable.PSVersion.ToString()
    language_mode = [string]$ExecutionContext.SessionState.LanguageMode
    administrator = Test-Administrator
    quotas = [ordered]@{
        max_memory_per_shell_mb = Get-Quota 'winrm/config/winrs' 'MaxMemoryPerShellMB'
        max_shells_per_user = Get-Quota 'winrm/config/winrs' 'MaxShellsPerUser'
        max_processes_per_shell = Get-Quota 'winrm/config/winrs' 'MaxProcessesPerShell'
        max_concurrent_users = Get-Quota 'winrm/config/winrs' 'MaxConcurrentUsers'
        max_concurrent_operations_per_user = Get-Quota 'winrm/config/service' 'MaxConcurrentOperationsPerUser'
        max_envelope_size_kb = Get-Quota 'winrm/config' 'MaxEnvelopeSizekb'
    }
    now = Format-Utc $system.LocalDateTime
    system_drive = [ordered]@{ name = [string]$drive.DeviceID; size = [long]$drive.Size; free = [long]$drive.FreeSpace }
    second_hop = $hop
}
