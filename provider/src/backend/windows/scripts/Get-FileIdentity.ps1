#Requires -Version 5.1
<#
.SYNOPSIS
Says whether a file exists, how long it is and which SHA-256 hash it has.
.DESCRIPTION
Runs inside _Envelope.ps1, which has the functions that the scripts share.
.PARAMETER Path
The file.
#>
[CmdletBinding()]
param(
    [Parameter(Mandatory = $true)] [string] $Path
)

if (-not (Test-Path -LiteralPath $Path -PathType Leaf)) { return [ordered]@{ exists = $false; length = $null; sha256 = $null } }
[ordered]@{ exists = $true; length = Get-FileLength $Path; sha256 = Get-Sha256 $Path }
