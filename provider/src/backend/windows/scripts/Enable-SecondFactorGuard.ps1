#Requires -Version 5.1
<#
.SYNOPSIS
Lets this AD FS server put the second factor on again by itself when the run that switched it off is not heard of any more.
.DESCRIPTION
A scheduled task under SYSTEM looks every minute. While the run renews its lease of this host, or the global policy names one of
the providers, it does nothing. Else it puts those names back that are still registered; when none is, it registers the new
provider with the carried configuration and puts that one in.
It is tried at once: a guard that cannot read the policy and write it as it is, is taken away again, and the script fails.
Runs inside _Envelope.ps1, which has the functions that the scripts share.
.PARAMETER Run
The run, as its lease of this host names it.
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
.PARAMETER OnlyTry
Takes the guard away after it was tried, and leaves what an earlier one has recorded.
#>
[CmdletBinding()]
param(
    [Parameter(Mandatory = $true)] [string] $Run,
    [Parameter(Mandatory = $true)] [AllowEmptyCollection()] [string[]] $Back,
    [Parameter(Mandatory = $true)] [string] $Forward,
    [string] $RegistrationScript,
    [string] $ConfigurationPath,
    [Parameter(Mandatory = $true)] [ValidateRange(1, 3600)] [int] $SilentSeconds,
    [bool] $OnlyTry
)

# Becomes guard.ps1. It stands alone: the task has no envelope. Values come from guard.json beside it.
$guard = {
    $ErrorActionPreference = 'Stop'
    $ProgressPreference = 'SilentlyContinue'
    $WarningPreference = 'SilentlyContinue'

    function Read-Order { ConvertFrom-Json -InputObject (Get-Content -LiteralPath "$PSScriptRoot\guard.json" -Raw -Encoding UTF8) }

    function Get-UtcText { [datetime]::UtcNow.ToString('yyyy-MM-ddTHH:mm:ssZ', [System.Globalization.CultureInfo]::InvariantCulture) }

    function Write-Record {
        param([string] $Name, $Value)
        Set-Content -LiteralPath "$Name.new" -Value (ConvertTo-Json -InputObject $Value -Depth 3 -Compress) -Encoding UTF8
        Move-Item -LiteralPath "$Name.new" -Destination $Name -Force
    }

    function Get-PolicyName { @((Get-AdfsGlobalAuthenticationPolicy).AdditionalAuthenticationProvider | Where-Object { $_ } | ForEach-Object { [string]$_ }) }

    function Set-PolicyName {
        param([string[]] $Name)
        Set-AdfsGlobalAuthenticationPolicy -AdditionalAuthenticationProvider $Name -Confirm:$false
    }

    function Get-TrialProblem {
        # What may be read need not be what may be changed. The policy stays as it is.
        try {
            $names = @(Get-PolicyName)
            [void]@(Get-AdfsAuthenticationProvider)
            if ($names.Count) { Set-PolicyName $names }
            ''
        }
        catch { $_.Exception.Message }
    }

    function Get-Silence {
        # For how many seconds nothing was heard of the run. Null: it has no lease any more, or another run has it.
        $path = "$PSScriptRoot\..\lease.json"
        foreach ($attempt in 1, 2) {
            $lease = Get-Item -LiteralPath $path -Force -ErrorAction Ignore
            if ($null -ne $lease) { break }
            # Each renewal puts another file in its place.
            Start-Sleep -Seconds 3
        }
        if ($null -eq $lease) { return $null }
        # One that cannot be read counts by its time alone: damage must not keep the guard from its work.
        try { $holder = (ConvertFrom-Json -InputObject (Get-Content -LiteralPath $path -Raw -Encoding UTF8)).run } catch { $holder = $null }
        if ($holder -and $holder -ne $order.run) { return $null }
        [Math]::Abs(([datetime]::UtcNow - $lease.LastWriteTimeUtc).TotalSeconds)
    }

    function Register-Forward {
        # As Register-Adapter does it, with what tells a later run that AD FS has to be restarted.
        param([bool] $IsPresent)
        $record = "$PSScriptRoot\..\adapter-registered.json"
        if ($IsPresent -and (Test-Path -LiteralPath $record)) { return }
        if (-not $IsPresent) {
            if (-not $order.type_name) { throw "neither $(@($order.back) -join ', ') nor $($order.forward) is registered, and there is nothing to register" }
            Remove-Item -LiteralPath $record -Force -ErrorAction Ignore
            $call = @{ TypeName = $order.type_name; Name = $order.forward; ConfigurationFilePath = $order.configuration_path }
            [void](Register-AdfsAuthenticationProvider @call)
        }
        if ($order.type_name) { Write-Record $record ([ordered]@{ registered_at = Get-UtcText; provider_name = $order.forward; type_name = $order.type_name }) }
    }

    function Find-WayOut {
        # The names to put into the policy, and where that leads. Releases may share a name; then the type tells them apart.
        $registered = @(Get-AdfsAuthenticationProvider)
        $present = $registered | Where-Object { $_.Name -eq $order.forward } | Select-Object -First 1
        $type = if ($null -ne $present) { [string]$present.PSObject.Properties['TypeName'].Value }
        $isNew = $null -ne $present -and (-not $type -or -not $order.type_name -or $type -eq $order.type_name)
        $names = @($registered | ForEach-Object { [string]$_.Name } | Where-Object { $order.back -contains $_ -and -not ($isNew -and $_ -eq $order.forward) })
        if ($names.Count) { return @{ Direction = 'back'; Names = $names } }
        Register-Forward ($null -ne $present)
        @{ Direction = 'forward'; Names = @($order.forward) }
    }

    $order = Read-Order
    if (-not (Test-Path -LiteralPath "$PSScriptRoot\tried.json")) {
        Write-Record "$PSScriptRoot\tried.json" ([ordered]@{ problem = Get-TrialProblem })
        return
    }
    $silence = Get-Silence
    if ($null -ne $silence -and $silence -lt $order.silent_seconds) { return }
    $acted = [ordered]@{ acted_at = Get-UtcText; direction = $null; provider_names = @(); problem = '' }
    $isClosed = $false
    try {
        $policy = @(Get-PolicyName)
        $known = @($order.back) + @($order.forward)
        $isClosed = @($policy | Where-Object { $known -contains $_ }).Count -gt 0
        if (-not $isClosed) {
            $way = Find-WayOut
            Set-PolicyName ($policy + $way.Names)
            $acted.direction = $way.Direction
            $acted.provider_names = @($way.Names)
        }
    }
    catch { $acted.problem = $_.Exception.Message }
    if ($acted.problem -or $acted.direction) { Write-Record "$PSScriptRoot\acted.json" $acted }
    # What failed is tried again the next minute. A run that has been silent while users are asked may come back and open the
    # gap, so the guard outlasts it for a while.
    if ($acted.problem -or ($isClosed -and $null -ne $silence -and $silence -lt 1800)) { return }
    # Another run may have set up its own guard meanwhile.
    if ((Read-Order).run -eq $order.run) { Unregister-ScheduledTask -TaskPath '\terraform-provider-azuremfa\guard\' -TaskName 'second-factor' -Confirm:$false }
}

function Assert-OwnLease {
    # The guard tells by it whether the run is alive.
    param([string] $Path)
    $holder = $null
    foreach ($attempt in 1..4) {
        try {
            $age = [Math]::Abs(([datetime]::UtcNow - (Get-Item -LiteralPath $Path -Force).LastWriteTimeUtc).TotalSeconds)
            $holder = (ConvertFrom-JsonText ([System.IO.File]::ReadAllText((Resolve-NativePath $Path)))).run
            break
        }
        # Each renewal puts another file in its place.
        catch { Start-Sleep -Milliseconds 250 }
    }
    if ($holder -ne $Run) { throw (New-Failure precondition "this run does not hold the lease of the host ($Path), so the guard could not tell that it is alive") }
    if ($age -ge $SilentSeconds) { throw (New-Failure precondition "this run has not renewed its lease of the host ($Path) for $([int]$age) seconds, so the guard would take it for one that is gone") }
}

function Get-TypeName {
    if (-not $RegistrationScript) { return $null }
    foreach ($path in $RegistrationScript, $ConfigurationPath) {
        if (-not (Test-Path -LiteralPath $path -PathType Leaf)) { throw (New-Failure not_found "$path does not exist") }
    }
    $registration = Get-Registration $RegistrationScript
    if ($registration.Name -ne $Forward) { throw (New-Failure invalid_input "$RegistrationScript registers $($registration.Name) and not $Forward; it belongs to another release") }
    $registration.TypeName
}

function Wait-GuardTrial {
    # What the guard came to when it was tried; nothing when it has not run after a minute.
    param([string] $Record)
    foreach ($attempt in 1..240) {
        $runs = @(Get-GuardTask | Where-Object { [string]$_.State -in 'Running', 'Queued' }).Count
        if (-not $runs -and (Test-Path -LiteralPath $Record)) { return ConvertFrom-JsonText ([System.IO.File]::ReadAllText((Resolve-NativePath $Record))) }
        Start-Sleep -Milliseconds 250
    }
}

function Assert-GuardWork {
    # AD FS may refuse SYSTEM what it grants this account, and policies may keep tasks from running.
    param([string] $Folder)
    Start-ScheduledTask -TaskPath $guardTasks -TaskName $guardTask
    $trial = Wait-GuardTrial "$Folder\tried.json"
    $tasks = @(Get-GuardTask)
    if ($null -ne $trial -and -not $trial.problem -and $tasks.Count) { return }
    foreach ($task in $tasks) { Unregister-ScheduledTask -TaskPath $guardTasks -TaskName $guardTask -Confirm:$false }
    if ($null -eq $trial -or -not $trial.problem) { throw (New-Failure timed_out 'the guard was started as a scheduled task and has not done its work after a minute; look at \terraform-provider-azuremfa\guard\ in the Task Scheduler') }
    throw (New-Failure precondition "the guard runs as SYSTEM and cannot do its work in AD FS: $($trial.problem) Where AD FS grants SYSTEM nothing, Set-AdfsProperties -AllowSystemServiceAdministration `$true does (Windows Server 2016 and later)")
}

Assert-TaskScheduler
Assert-AdfsPrimary
$work = Initialize-WorkFolder
Assert-OwnLease "$work\lease.json"
$typeName = Get-TypeName
$folder = "$work\guard"
Assert-WorkPath $folder
# What is in it runs as SYSTEM.
Initialize-ProtectedFolder $folder
$order = [ordered]@{ run = $Run; back = $Back; forward = $Forward; type_name = $typeName; configuration_path = $ConfigurationPath; silent_seconds = $SilentSeconds }
Remove-Item -LiteralPath "$folder\tried.json", "$folder\guard.ps1" -Force -ErrorAction Ignore
Write-TextFile -Path "$folder\guard.json" -Text (ConvertTo-AsciiJson $order)
Write-TextFile -Path "$folder\guard.ps1" -Text $guard.ToString()
$minute = New-TimeSpan -Minutes 1
# A gap lasts minutes. After half a day somebody has looked.
$trigger = New-ScheduledTaskTrigger -Once -At ([datetime]::Now + $minute) -RepetitionInterval $minute -RepetitionDuration (New-TimeSpan -Hours 12)
Register-OwnTask -Folder $guardTasks -Name $guardTask -Script "$folder\guard.ps1" -LimitMinutes 10 -Trigger $trigger
Assert-GuardWork $folder
$earlier = Read-GuardRecord
if ($OnlyTry) { Unregister-ScheduledTask -TaskPath $guardTasks -TaskName $guardTask -Confirm:$false }
else { Remove-Item -LiteralPath "$folder\acted.json" -Force -ErrorAction Ignore }
[ordered]@{ earlier = $(if (-not $OnlyTry) { $earlier }) }
