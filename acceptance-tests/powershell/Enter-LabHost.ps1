<#
.SYNOPSIS
Runs a PowerShell command line of a simulated host: what `powershell.exe` is there.
.DESCRIPTION
Maps drive C: and the registry to the host's folder, replaces the commands that only Windows has by ones that read and write its state,
and then runs exactly the text that was sent. Stdin passes through untouched.
.PARAMETER HostFolder
The host's folder in the estate.
.PARAMETER EncodedCommand
Base64 of a UTF-16 text to run, as powershell.exe takes it.
.PARAMETER File
A script on the host to run instead, by its Windows path; the way of scheduled tasks.
.PARAMETER TaskPath
The scheduled task that this process is, to be marked as ended with it.
#>
[CmdletBinding()]
param(
    [Parameter(Mandatory = $true)] [string] $HostFolder,
    [Parameter(Mandatory = $true, ParameterSetName = 'Command')] [string] $EncodedCommand,
    [Parameter(Mandatory = $true, ParameterSetName = 'File')] [string] $File,
    [Parameter(ParameterSetName = 'File')] [string] $TaskPath
)

$ErrorActionPreference = 'Stop'
$HostFolder = [System.IO.Path]::GetFullPath($HostFolder)
$cache = if ($env:AZUREMFA_LAB_CACHE) { $env:AZUREMFA_LAB_CACHE } else { [System.IO.Path]::GetFullPath("$PSScriptRoot/../../target/lab-cache") }
& "$PSScriptRoot/Import-LabHostAssembly.ps1" -Cache $cache
[AzureMfaLab.Files]::HostFolder = $HostFolder
$env:PSModulePath = "$PSScriptRoot/modules"
Import-Module -Name "$PSScriptRoot/modules/LabHost/LabHost.psm1" -Global
$hostState = Read-LabState
# Web addresses lead to the estate's releases.
[void][System.Net.WebRequest]::RegisterPrefix('https://', (New-Object AzureMfaLab.ReleaseRequests))
# Files of the domain are looked for on its domain controllers; of any other machine there is none.
if ($hostState['domain']) { [void][System.Net.WebRequest]::RegisterPrefix("file://$($hostState['domain'])", (New-Object AzureMfaLab.DomainFileRequests)) }

# What scripts see of Windows.
[void](New-PSDrive -Name C -PSProvider FileSystem -Root "$HostFolder/C" -Scope Global)
$env:ProgramData = 'C:\ProgramData'
$env:ProgramFiles = 'C:\Program Files'
$env:SystemRoot = 'C:\Windows'
$env:SystemDrive = 'C:'
$env:COMPUTERNAME = $hostState['computer_name']
$PSVersionTable['PSVersion'] = [version]$hostState['powershell_version']
$PSVersionTable['PSEdition'] = 'Desktop'
Import-Module -Name "$PSScriptRoot/modules/ScheduledTasks/ScheduledTasks.psm1" -Global
if ($hostState['iis']) { $env:PSModulePath = "$env:PSModulePath$([System.IO.Path]::PathSeparator)$PSScriptRoot/iis" }
if ($hostState['adfs']) { Import-Module -Name "$PSScriptRoot/modules/ADFS/ADFS.psm1" -Global }
Set-Location -LiteralPath 'C:\'

if ($File) {
    # Tasks run under SYSTEM.
    $global:LabIsSystem = [bool]$TaskPath
    try { & (Resolve-LabPath $File) }
    finally { if ($TaskPath) { Complete-LabTask $TaskPath } }
    return
}
$writer = New-Object AzureMfaLab.ReplyWriter ([Console]::Out)
# Runs below the envelope that replies, whose parameters say what was asked.
$writer.OnReply = [Action[string]]{ param($reply) Add-LabFileWork -ScriptName $ScriptName -ArgumentText $ArgumentText -ReplyText $reply }
[Console]::SetOut($writer)
& ([ScriptBlock]::Create([System.Text.Encoding]::Unicode.GetString([Convert]::FromBase64String($EncodedCommand))))
[Console]::Out.Flush()
