#Requires -Version 5.1
<#
.SYNOPSIS
Sets the version of the common language runtime of an IIS application pool.
.DESCRIPTION
IIS recycles the pool by itself when the setting changes.
Runs inside _Envelope.ps1, which has the functions that the scripts share.
.PARAMETER ApplicationPool
The pool's name.
.PARAMETER Runtime
The runtime, such as v4.0.
#>
[CmdletBinding()]
param(
    [Parameter(Mandatory = $true)] [string] $ApplicationPool,
    [Parameter(Mandatory = $true)] [ValidateSet('v2.0', 'v4.0')] [string] $Runtime
)

Import-Module -Name WebAdministration
$root = 'MACHINE/WEBROOT/APPHOST'
$pools = '/system.applicationHost/applicationPools/add'
$pool = Get-WebConfiguration -PSPath $root -Filter $pools | Where-Object { $_.name -eq $ApplicationPool }
if ($null -eq $pool) { throw (New-Failure not_found "there is no application pool $ApplicationPool on this host") }
$before = [string]$pool.managedRuntimeVersion
if ($before -ne $Runtime) {
    # XPath has no escape inside a literal, only two kinds of quotes.
    if ($ApplicationPool.Contains("'") -and $ApplicationPool.Contains('"')) { throw (New-Failure invalid_input "the application pool's name has both kinds of quotes, which IIS cannot look up: $ApplicationPool") }
    $quote = if ($ApplicationPool.Contains("'")) { '"' } else { "'" }
    Set-WebConfigurationProperty -PSPath $root -Filter "$pools[@name=$quote$($pool.name)$quote]" -Name managedRuntimeVersion -Value $Runtime
}
[ordered]@{ before = $before; already = $before -eq $Runtime }
