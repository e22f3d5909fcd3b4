#Requires -Version 5.1
<#
.SYNOPSIS
Puts authentication providers into AD FS's global additional authentication policy and takes others out.
.DESCRIPTION
All other providers stay, in their order. Names are compared in any casing and written as AD FS has them.
Runs inside _Envelope.ps1, which has the functions that the scripts share.
.PARAMETER Enable
Names that shall be in the policy.
.PARAMETER Disable
Names that shall not.
#>
[CmdletBinding()]
param(
    [AllowEmptyCollection()] [string[]] $Enable = @(),
    [AllowEmptyCollection()] [string[]] $Disable = @()
)

foreach ($name in $Enable) {
    if ($Disable -contains $name) { throw (New-Failure invalid_input "$name shall be both in the policy and out of it") }
}
Assert-AdfsPrimary
$before = @(Get-AdfsPolicyName)
$after = @($before | Where-Object { $Disable -notcontains $_ })
foreach ($name in $Enable) {
    if ($after -contains $name) { continue }
    $provider = Find-AdfsProvider $name
    if ($null -eq $provider) { throw (New-Failure precondition "no authentication provider $name is registered in AD FS, so it cannot be put into the policy") }
    $after += [string]$provider.Name
}
$already = ($before -join "`n") -ceq ($after -join "`n")
if (-not $already) {
    # An empty list is given as null: the cmdlet takes it as none.
    $names = if ($after.Count) { [string[]]$after } else { $null }
    Set-AdfsGlobalAuthenticationPolicy -AdditionalAuthenticationProvider $names -Confirm:$false
    $after = @(Get-AdfsPolicyName)
}
[ordered]@{ before = $before; after = $after; already = $already }
