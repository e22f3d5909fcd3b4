#Requires -Version 5.1
<#
.SYNOPSIS
Removes the registration of an authentication provider from AD FS.
.DESCRIPTION
Refused while the global policy still names the provider.
Runs inside _Envelope.ps1, which has the functions that the scripts share.
.PARAMETER ProviderName
The registered name, in any casing.
#>
[CmdletBinding()]
param(
    [Parameter(Mandatory = $true)] [string] $ProviderName
)

Assert-AdfsPrimary
$provider = Find-AdfsProvider $ProviderName
if ($null -ne $provider) {
    if (@(Get-AdfsPolicyName) -contains $ProviderName) { throw (New-Failure precondition "the global authentication policy still names $($provider.Name); take it out first") }
    Unregister-AdfsAuthenticationProvider -Name $provider.Name -Confirm:$false
}
[ordered]@{ already = $null -eq $provider }
