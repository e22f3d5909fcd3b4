#Requires -Version 5.1
<#
.SYNOPSIS
Lets this AD FS server put the second factor on again by itself when the run that switched it off is not heard of any more.
.DESCRIPTION
A scheduled task under SYSTEM looks every minute. While the run renews its lease of this host, or the global policy names one of
the providers, it does nothing. Else it puts those names back that are still registered; when none is, it registers the new
provider with the carried configuration and puts that one in.
It is tried at once: a guard that cannot ask AD FS is taken away again, and the script fails.
Runs inside _Envelope.ps1, which has the functions that the scripts share.
.PARAMETER Back
The names that the run takes out of the policy.
.PARAMETER Forward
The name that it puts in afterwards.
.PARAMETER RegistrationScript
The vendor's registration script of the new release; without it nothing is registered.
.PARAMETER ConfigurationPath
The configuration file to register with.
.PARAMETER SilentSeconds
For so long the run may be silent.
#>
[CmdletBinding()]
param(
    [Parameter(Mandatory = $true)] [AllowEmptyCollection()] [string[]] $Back,
    [Parameter(Mandatory = $true)] [string] $Forward,
    [string] $RegistrationScript,
    [string] $ConfigurationPath,
    [Parameter(Mandatory = $true)] [ValidateRange(1, 3600)] [int] $SilentSeconds
)

# Becomes guard.ps1. It stands alone: the task has no envelope. Values come from guard.json beside it.
$guard = {
    $ErrorActionPreference = 'Stop'
    $ProgressPreference = 'SilentlyContinue'
    $WarningPreference = 'SilentlyContinue'
    $order = ConvertFrom-Json -InputObject (Get-Content -LiteralPath "$PSScriptRoot\guard.json" -Raw -Encoding UTF8)

    function Get-UtcText { [datetime]::UtcNow.ToString('yyyy-MM-ddTHH:mm:ssZ', [System.Globalization.CultureInfo]::InvariantCulture) }

    function Write-Record {
        # Whole or not at all.
        param([string] $Name, $Value)
        Set-Content -LiteralPath "$Name.new" -Value (ConvertTo-Json -InputObject $Value -Depth 3 -Compress) -Encoding UTF8
        Move-Item -LiteralPath "$Name.new" -Destination $Name -Force
    }

    function Get-PolicyName { @((Get-AdfsGlobalAuthenticationPolicy).AdditionalAuthenticationProvider | Where-Object { $_ } | ForEach-Object { [string]$_ }) }

    function Register-Forward {
        # As Register-Adapter does it, with what tells a later run that AD FS has to be restarted.
        $record = "$PSScriptRoot\..\adapter-registered.json"
        Remove-Item -LiteralPath $record -Force -ErrorAction Ignore
        $call = @{ TypeName = $order.type_name; Name = $order.forward; ConfigurationFilePath = $order.configuration_path }
        [void](Register-AdfsAuthenticationProvider @call)
        Write-Record $record ([ordered]@{ registered_at = Get-UtcText; provider_name = $order.forward; type_name = $order.type_name })
    }

    function Find-WayOut {
        # The names to put into the policy, and where that leads. No names: nothing can be done.
        $registered = @(Get-AdfsAuthenticationProvider | ForEach-Object { [string]$_.Name })
        $names = @($registered | Where-Object { $order.back -contains $_ })
        if ($names.Count) { return @{ Direction = 'back'; Names = $names } }
        if ($registered -notcontains $order.forward) {
            if (-not $order.type_name) { throw "neither $(@($order.back) -join ', ') nor $($order.forward) is registered, and there is nothing to register" }
            Register-Forward
        }
        @{ Direction = 'forward'; Names = @($order.forward) }
    }

    if (-not (Test-Path -LiteralPath "$PSScriptRoot\tried.json")) {
        $problem = ''
        try { [void]@(Get-PolicyName; Get-AdfsAuthenticationProvider) } catch { $problem = $_.Exception.Message }
        Write-Record "$PSScriptRoot\tried.json" ([ordered]@{ problem = $problem })
    }
    $lease = Get-Item -LiteralPath "$PSScriptRoot\..\lease.json" -Force -ErrorAction Ignore
    # By the time of the file alone: a damaged lease must not keep the guard from its work. None is left by a run that ended.
    $silence = if ($null -ne $lease) { [Math]::Abs(([datetime]::UtcNow - $lease.LastWriteTimeUtc).TotalSeconds) } else { $null }
    if ($null -ne $silence -and $silence -lt $order.silent_seconds) { return }
    $direction = $null
    $names = @()
    $problem = ''
    try {
        $policy = @(Get-PolicyName)
        $known = @($order.back) + @($order.forward)
        $isClosed = @($policy | Where-Object { $known -contains $_ }).Count -gt 0
        if (-not $isClosed) {
            $way = Find-WayOut
            $direction = $way.Direction
            $names = @($way.Names)
            Set-AdfsGlobalAuthenticationPolicy -AdditionalAuthenticationProvider ([string[]]($policy + $names)) -Confirm:$false
        }
    }
    catch { $problem = $_.Exception.Message }
    if ($problem -or $names.Count) {
        Write-Record "$PSScriptRoot\acted.json" ([ordered]@{ acted_at = Get-UtcText; direction = $direction; provider_names = $names; problem = $problem })
    }
    # What failed is tried again the next minute. A run that has been silent while users are asked may come back and open the
    # gap, so the guard outlasts it for a while.
    if ($problem -or ($isClosed -and $null -ne $silence -and $silence -lt 1800)) { return }
    Unregister-ScheduledTask -TaskPath '\terraform-provider-azuremfa\guard\' -TaskName 'second-factor' -Confirm:$false
}

function Wait-GuardTrial {
    # What the guard came to when it was tried; null when it has not run after a minute.
    param([string] $Record)
    foreach ($attempt in 1..240) {
        $runs = @(Get-OwnTask $guardTasks | Where-Object { $_.TaskName -eq $guardTask -and [string]$_.State -in 'Running', 'Queued' }).Count
        if (-not $runs -and (Test-Path -LiteralPath $Record)) { return ConvertFrom-Json -InputObject (Get-Content -LiteralPath $Record -Raw -Encoding UTF8) }
        Start-Sleep -Milliseconds 250
    }
}

function Assert-GuardWork {
    # AD FS may refuse SYSTEM what it grants this account, and policies may keep tasks from running.
    param([string] $Folder)
    Start-ScheduledTask -TaskPath $guardTasks -TaskName $guardTask
    $trial = Wait-GuardTrial "$Folder\tried.json"
    if ($null -ne $trial -and -not $trial.problem) { return }
    Unregister-ScheduledTask -TaskPath $guardTasks -TaskName $guardTask -Confirm:$false
    if ($null -eq $trial) { throw (New-Failure timed_out 'the guard was started as a scheduled task and has not run after a minute; look at \terraform-provider-azuremfa\guard\ in the Task Scheduler') }
    throw (New-Failure precondition "the guard runs as SYSTEM and cannot ask AD FS: $($trial.problem)")
}

Assert-TaskScheduler
Assert-AdfsPrimary
$work = Initialize-WorkFolder
if (-not (Test-Path -LiteralPath "$work\lease.json" -PathType Leaf)) {
    throw (New-Failure precondition "this run holds no lease of the host ($work\lease.json is missing), so the guard could not tell that it is alive")
}
$typeName = $null
if ($RegistrationScript) {
    foreach ($path in $RegistrationScript, $ConfigurationPath) {
        if (-not (Test-Path -LiteralPath $path -PathType Leaf)) { throw (New-Failure not_found "$path does not exist") }
    }
    $registration = Get-Registration $RegistrationScript
    if ($registration.Name -ne $Forward) { throw (New-Failure invalid_input "$RegistrationScript registers $($registration.Name) and not $Forward; it belongs to another release") }
    $typeName = $registration.TypeName
}
$folder = "$work\guard"
Assert-WorkPath $folder
if (-not (Test-Path -LiteralPath $folder)) { [void](New-Item -ItemType Directory -Path $folder) }
$earlier = Read-GuardRecord
Remove-Item -LiteralPath "$folder\acted.json", "$folder\tried.json" -Force -ErrorAction Ignore
$order = [ordered]@{ back = $Back; forward = $Forward; type_name = $typeName; configuration_path = $ConfigurationPath; silent_seconds = $SilentSeconds }
Write-TextFile -Path "$folder\guard.json" -Text (ConvertTo-AsciiJson $order)
Write-TextFile -Path "$folder\guard.ps1" -Text $guard.ToString()
$minute = New-TimeSpan -Minutes 1
# A gap lasts minutes. After half a day somebody has looked.
$trigger = New-ScheduledTaskTrigger -Once -At ([datetime]::Now + $minute) -RepetitionInterval $minute -RepetitionDuration (New-TimeSpan -Hours 12)
Register-OwnTask -Folder $guardTasks -Name $guardTask -Script "$folder\guard.ps1" -LimitMinutes 10 -Trigger $trigger
Assert-GuardWork $folder
[ordered]@{ earlier = $earlier }
