#Requires -Version 5.1
<#
.SYNOPSIS
Deletes a file or folder inside the work folder.
.DESCRIPTION
With it goes what a script that was cut off while it wrote the file may have left beside it; that holds the same secrets.
Runs inside _Envelope.ps1, which has the functions that the scripts share.
.PARAMETER Path
What to delete; never one of the work folder's own parts.
#>
[CmdletBinding()]
param(
    [Parameter(Mandatory = $true)] [string] $Path
)

Assert-WorkPath $Path
foreach ($part in 'staging', 'backups', 'installers') {
    if ($Path -eq "$(Get-WorkFolder)\$part") { throw (New-Failure invalid_input "$Path is a part of the work folder and stays") }
}
$present = @($Path, "$Path.partial", "$Path.new" | Where-Object { Test-Path -LiteralPath $_ })
foreach ($one in $present) { Remove-Item -LiteralPath $one -Recurse -Force }
[ordered]@{ removed = $present.Count -gt 0 }
