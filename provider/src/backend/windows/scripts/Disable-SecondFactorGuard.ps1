#Requires -Version 5.1
<#
.SYNOPSIS
Removes the guard of the second factor and says what it did.
.DESCRIPTION
Without a guard it does nothing.
Runs inside _Envelope.ps1, which has the functions that the scripts share.
#>
[CmdletBinding()]
param()

Assert-TaskScheduler
$tasks = @(Get-OwnTask $guardTasks | Where-Object { $_.TaskName -eq $guardTask })
foreach ($task in $tasks) { Unregister-ScheduledTask -TaskPath $guardTasks -TaskName $task.TaskName -Confirm:$false }
$folder = (Get-WorkFolder) + '\guard'
$acted = Read-GuardRecord
if (Test-Path -LiteralPath $folder) {
    Assert-WorkPath $folder
    Remove-Item -LiteralPath $folder -Recurse -Force
}
[ordered]@{ removed = [bool]$tasks.Count; acted = $acted }
