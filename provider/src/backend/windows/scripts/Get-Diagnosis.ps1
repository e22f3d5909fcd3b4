#Requires -Version 5.1
<#
.SYNOPSIS
Says what keeps an upgrade from working on a host: rights, language mode, quotas of WinRM, clock and room on the system drive.
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
        max_envelope_size_kb = Get-Quota 'winrm/config' 'MaxEnvelopeSizekb'
    }
    now = Format-Utc $system.LocalDateTime
    system_drive = [ordered]@{ name = [string]$drive.DeviceID; size = [long]$drive.Size; free = [long]$drive.FreeSpace }
}
