#Requires -Version 5.1
<#
.SYNOPSIS
Starts an installer as a scheduled task under SYSTEM, so that it outlives the connection.
.DESCRIPTION
The task runs run.ps1 in the installation's folder; that starts the program, waits, ends it after the time limit and writes exit.json.
Starting an installation that runs or has ended does nothing. A second one is refused while any runs.
Runs inside _Envelope.ps1, which has the functions that the scripts share.
.PARAMETER InstallationId
Names the installation, its folder and its task.
.PARAMETER File
The setup program or .msi on this host.
.PARAMETER Arguments
The operator's arguments, one each.
.PARAMETER Sha256
The hash that the file must have.
.PARAMETER TimeoutMinutes
After this time the program and what it started are ended.
#>
[CmdletBinding()]
param(
    [Parameter(Mandatory = $true)] [string] $InstallationId,
    [Parameter(Mandatory = $true)] [string] $File,
    [Parameter(Mandatory = $true)] [AllowEmptyCollection()] [AllowEmptyString()] [string[]] $Arguments,
    [Parameter(Mandatory = $true)] [string] $Sha256,
    [Parameter(Mandatory = $true)] [ValidateRange(1, 1440)] [int] $TimeoutMinutes
)

# Becomes run.ps1. It stands alone: the task has no envelope. Values come from installer.json beside it.
$runner = {
    $ErrorActionPreference = 'Stop'
    $ProgressPreference = 'SilentlyContinue'
    $order = ConvertFrom-Json -InputObject (Get-Content -LiteralPath "$PSScriptRoot\installer.json" -Raw -Encoding UTF8)
    $format = 'yyyy-MM-ddTHH:mm:ssZ'
    $started = [datetime]::UtcNow
    $code = 1
    $problem = ''
    try {
        $call = @{ FilePath = $order.program; PassThru = $true }
        if ($order.command_line) { $call.ArgumentList = $order.command_line }
        $process = Start-Process @call
        # Without having asked for the handle, the exit code of a process that has ended is lost.
        [void]$process.Handle
        if ($process.WaitForExit([int]$order.timeout_minutes * 60000)) { $code = $process.ExitCode }
        else {
            taskkill.exe /PID $process.Id /T /F | Out-Null
            # ERROR_TIMEOUT, which no installer returns.
            $code = 1460
            $problem = "ended after $($order.timeout_minutes) minutes without a result"
        }
    }
    catch { $problem = 'the program could not be started: ' + $_.Exception.Message }
    $result = [ordered]@{
        exit_code = $code
        started_at = $started.ToString($format, [System.Globalization.CultureInfo]::InvariantCulture)
        finished_at = [datetime]::UtcNow.ToString($format, [System.Globalization.CultureInfo]::InvariantCulture)
        problem = $problem
    }
    Set-Content -LiteralPath "$PSScriptRoot\exit.json.new" -Value (ConvertTo-Json -InputObject $result -Depth 3 -Compress) -Encoding UTF8
    Move-Item -LiteralPath "$PSScriptRoot\exit.json.new" -Destination "$PSScriptRoot\exit.json" -Force
}

function Test-WindowsInstallerBusy {
    # Windows Installer holds this mutex while it changes the system.
    $mutex = $null
    if (-not [System.Threading.Mutex]::TryOpenExisting('Global\_MSIExecute', [ref]$mutex)) { return $false }
    try { $free = $mutex.WaitOne(0) } catch [System.Threading.AbandonedMutexException] { $free = $true }
    if ($free) { $mutex.ReleaseMutex() }
    $mutex.Close()
    -not $free
}

function Format-Argument {
    # One argument on a command line. What the operator quoted stays as it is; a property keeps its quotes after the sign.
    param([string] $Argument)
    if ($Argument.Contains('"') -or ($Argument -ne '' -and $Argument -notmatch '\s')) { return $Argument }
    if ($Argument -cmatch '^([A-Z_][A-Z0-9_.]*)=(.*)$') { return '{0}="{1}"' -f $Matches[1], $Matches[2] }
    '"' + $Argument + '"'
}

function Get-Order {
    # What run.ps1 is to start.
    param([string] $Log)
    $words = @($Arguments | ForEach-Object { Format-Argument $_ })
    $program = $File
    if ($File -match '\.msi$') {
        $program = 'msiexec.exe'
        $words = @('/i', "`"$File`"") + $words + @('/l*v', "`"$Log`"")
    }
    [ordered]@{ file = $File; program = $program; command_line = $words -join ' '; log = $Log; timeout_minutes = $TimeoutMinutes }
}

function Wait-InstallerStart {
    # The task scheduler answers before the task runs.
    param([string] $Folder)
    foreach ($attempt in 1..240) {
        if (Test-Path -LiteralPath "$Folder\exit.json") { return }
        if (@(Get-OwnTask | Where-Object { $_.TaskName -eq $InstallationId -and [string]$_.State -eq 'Running' }).Count) { return }
        Start-Sleep -Milliseconds 250
    }
    throw (New-Failure timed_out "the scheduled task of $InstallationId was started and does not run after a minute; look at \terraform-provider-azuremfa\ in the Task Scheduler")
}

Assert-PlainName $InstallationId 'installation'
$folder = (Get-WorkFolder) + "\installers\$InstallationId"
$log = "$folder\install.log"
Assert-TaskScheduler
$active = @(Get-OwnTask | Where-Object { [string]$_.State -in 'Running', 'Queued' })
if ((Test-Path -LiteralPath "$folder\exit.json") -or @($active | Where-Object { $_.TaskName -eq $InstallationId }).Count) {
    return [ordered]@{ started = $false; log = $log }
}
if (-not (Test-Path -LiteralPath $File -PathType Leaf)) { throw (New-Failure not_found "$File does not exist") }
$found = Get-Sha256 $File
if ($found -ne $Sha256) { throw (New-Failure invalid_input "$File has the SHA-256 hash $found instead of $($Sha256.ToLowerInvariant()); it is not started") }
if ($active.Count) { throw (New-Failure busy "the installation $($active[0].TaskName) runs on this host; only one may run at a time") }
if (Test-WindowsInstallerBusy) { throw (New-Failure busy 'Windows Installer is at work on this host (an installation that is not of this provider)') }

[void](Initialize-WorkFolder)
Assert-WorkPath $folder
if (-not (Test-Path -LiteralPath $folder)) { [void](New-Item -ItemType Directory -Path $folder) }
Write-TextFile -Path "$folder\installer.json" -Text (ConvertTo-AsciiJson (Get-Order $log))
Write-TextFile -Path "$folder\run.ps1" -Text $runner.ToString()
Register-OwnTask -Folder $installerTasks -Name $InstallationId -Script "$folder\run.ps1" -LimitMinutes ($TimeoutMinutes + 30)
Start-ScheduledTask -TaskPath $installerTasks -TaskName $InstallationId
Wait-InstallerStart $folder
[ordered]@{ started = $true; log = $log }
