#Requires -Version 5.1
<#
.SYNOPSIS
Removes the guard of the second factor and says what it did.
.DESCRIPTION
A look that is under way comes to its end first. Without a guard it does nothing.
Runs inside _Envelope.ps1, which has the functions that the scripts share.
.PARAMETER Run
The run whose guard it is; one of another run stays. Without it any guard goes.
#>
[CmdletBinding()]
param(
    [string] $Run
)

function Test-ForeignGuard {
    param([string] $Order)
    if (-not $Run -or -not (Test-Path -LiteralPath $Order)) { return $false }
    (ConvertFrom-JsonText ([System.IO.File]::ReadAllText((Resolve-NativePath $Order)))).run -ne $Run
}

function Remove-GuardFolder {
    # Nothing in it does anything any more, so what something else has open may stay.
    param([string] $Folder)
    foreach ($attempt in 1..20) {
        try { Remove-Item -LiteralPath $Folder -Recurse -Force; return } catch { $problem = $_.Exception.Message }
        Start-Sleep -Milliseconds 250
    }
    Write-HostLog -Level warn -Message "$Folder stays: $problem"
}

Assert-TaskScheduler
$folder = (Get-WorkFolder) + '\guard'
if (Test-ForeignGuard "$folder\guard.json") { return [ordered]@{ removed = $false; acted = $null } }
foreach ($attempt in 1..120) {
    if (-not @(Get-GuardTask | Where-Object { [string]$_.State -eq 'Running' }).Count) { break }
    Start-Sleep -Milliseconds 250
}
$tasks = @(Get-GuardTask)
foreach ($task in $tasks) { Unregister-ScheduledTask -TaskPath $guardTasks -TaskName $task.TaskName -Confirm:$false }
$acted = Read-GuardRecord
if (Test-Path -LiteralPath $folder) {
    Assert-WorkPath $folder
    Remove-GuardFolder $folder
}
[ordered]@{ removed = [bool]$tasks.Count; acted = $acted }
