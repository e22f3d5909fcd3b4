# The Task Scheduler of the simulated host. Starting a task starts a process that outlives its parent.
$ErrorActionPreference = 'Stop'

function Get-LabTaskState {
    # A task whose process is gone without a word (killed, or the host restarted) is ready again.
    param($Task)
    if ($Task['state'] -ne 'Running') { return $Task['state'] }
    $id = $Task['process_id']
    if ($id -and [System.IO.Directory]::Exists("/proc/$id") -and [System.IO.File]::ReadAllText("/proc/$id/stat") -notmatch '\) Z ') { return 'Running' }
    'Ready'
}

function Get-ScheduledTask {
    [CmdletBinding()]
    param([Parameter(Mandatory = $true)] [string] $TaskPath)
    $tasks = (Read-LabState)['scheduled_tasks']
    # Those in the folder, and not those in folders below it.
    $found = @(if ($tasks) { $tasks.Keys | Where-Object { $_.Substring(0, $_.LastIndexOf('\') + 1) -eq $TaskPath } })
    if (-not $found.Count) {
        $none = New-Object System.Management.Automation.ErrorRecord (New-Object System.Exception "No MSFT_ScheduledTask objects found with property 'TaskPath' equal to '$TaskPath'."), 'CmdletizationQuery_NotFound_TaskPath', ObjectNotFound, $TaskPath
        $PSCmdlet.WriteError($none)
        return
    }
    foreach ($key in $found) { [pscustomobject]@{ TaskPath = $TaskPath; TaskName = $key.Substring($TaskPath.Length); State = Get-LabTaskState $tasks[$key] } }
}

function New-ScheduledTaskAction {
    [CmdletBinding()]
    param([Parameter(Mandatory = $true)] [string] $Execute, [Parameter(Mandatory = $true)] [string] $Argument)
    [pscustomobject]@{ Execute = $Execute; Arguments = $Argument }
}

function New-ScheduledTaskPrincipal {
    [CmdletBinding()]
    param(
        [Parameter(Mandatory = $true)] [string] $UserId,
        [Parameter(Mandatory = $true)] [ValidateSet('ServiceAccount')] [string] $LogonType,
        [Parameter(Mandatory = $true)] [ValidateSet('Highest')] [string] $RunLevel
    )
    [pscustomobject]@{ UserId = $UserId }
}

function New-ScheduledTaskSettingsSet {
    [CmdletBinding()]
    param(
        [Parameter(Mandatory = $true)] [timespan] $ExecutionTimeLimit,
        [switch] $AllowStartIfOnBatteries,
        [switch] $DontStopIfGoingOnBatteries,
        [Parameter(Mandatory = $true)] [ValidateSet('IgnoreNew')] [string] $MultipleInstances
    )
    [pscustomobject]@{ ExecutionTimeLimit = $ExecutionTimeLimit }
}

function New-ScheduledTaskTrigger {
    [CmdletBinding()]
    param(
        [Parameter(Mandatory = $true)] [switch] $Once,
        [Parameter(Mandatory = $true)] [datetime] $At,
        [Parameter(Mandatory = $true)] [timespan] $RepetitionInterval,
        [Parameter(Mandatory = $true)] [timespan] $RepetitionDuration
    )
    if ($At.Kind -ne 'Local' -or $At -lt [datetime]::Now) { throw "a task that begins at $At, in the past, does not begin" }
    if ($RepetitionDuration -lt $RepetitionInterval) { throw 'The task XML contains a value which is incorrectly formatted or out of range. (Repetition)' }
    [pscustomobject]@{ Seconds = [int]$RepetitionInterval.TotalSeconds }
}

function Register-ScheduledTask {
    [CmdletBinding()]
    param(
        [Parameter(Mandatory = $true)] [string] $TaskPath,
        [Parameter(Mandatory = $true)] [string] $TaskName,
        [Parameter(Mandatory = $true)] $Action,
        [Parameter(Mandatory = $true)] $Principal,
        [Parameter(Mandatory = $true)] $Settings,
        $Trigger,
        [Parameter(Mandatory = $true)] [switch] $Force
    )
    Update-LabState {
        param($state)
        if (-not $state['scheduled_tasks']) { $state['scheduled_tasks'] = [ordered]@{} }
        $task = [ordered]@{ state = 'Ready'; execute = $Action.Execute; arguments = $Action.Arguments; user = $Principal.UserId; process_id = $null; last_result = 0 }
        if ($Trigger) { $task['every_seconds'] = $Trigger.Seconds }
        $state['scheduled_tasks'][$TaskPath + $TaskName] = $task
    }
    [pscustomobject]@{ TaskPath = $TaskPath; TaskName = $TaskName; State = 'Ready' }
}

function Start-ScheduledTask {
    [CmdletBinding()]
    param([Parameter(Mandatory = $true)] [string] $TaskPath, [Parameter(Mandatory = $true)] [string] $TaskName)
    $key = $TaskPath + $TaskName
    $task = (Read-LabState)['scheduled_tasks'][$key]
    if (-not $task) { throw "The system cannot find the file specified ($key)." }
    if ($task['execute'] -ne 'powershell.exe' -or $task['arguments'] -notmatch '^-NoProfile -NonInteractive -ExecutionPolicy Bypass -File "([^"]+)"$') { throw "the simulated Task Scheduler does not know how to start this: $($task['execute']) $($task['arguments'])" }
    $script = $Matches[1]
    $enter = [System.IO.Path]::GetFullPath("$PSScriptRoot/../../Enter-LabHost.ps1")
    # A session of its own and no pipe of ours: it lives on when the shell that started it is closed. The name of the task
    # is marked as running by the one who starts it, so that no look in between finds it ready.
    Update-LabState {
        param($state)
        $command = 'setsid "$@" </dev/null >/dev/null 2>&1 & echo $!'
        $id = & sh -c $command sh ([Environment]::ProcessPath) -NoProfile -NonInteractive -File $enter -HostFolder ([AzureMfaLab.Files]::HostFolder) -File $script -TaskPath $key
        $state['scheduled_tasks'][$key]['state'] = 'Running'
        $state['scheduled_tasks'][$key]['process_id'] = [int]$id
    }
}

function Complete-LabTask {
    # What the Task Scheduler notes when a task's process ends.
    param([string] $Key)
    Update-LabState {
        param($state)
        $task = $state['scheduled_tasks'][$Key]
        if ($task) { $task['state'] = 'Ready'; $task['process_id'] = $null }
    }
}

function Unregister-ScheduledTask {
    [CmdletBinding(SupportsShouldProcess = $true)]
    param([Parameter(Mandatory = $true)] [string] $TaskPath, [Parameter(Mandatory = $true)] [string] $TaskName)
    if (-not $PSCmdlet.ShouldProcess($TaskName)) { return }
    Update-LabState {
        param($state)
        if (-not $state['scheduled_tasks'].Contains($TaskPath + $TaskName)) { throw "The system cannot find the file specified ($TaskPath$TaskName)." }
        $state['scheduled_tasks'].Remove($TaskPath + $TaskName)
    }
}

Export-ModuleMember -Function *
