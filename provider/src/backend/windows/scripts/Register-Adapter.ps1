#Requires -Version 5.1
<#
.SYNOPSIS
Registers the AD FS adapter of the installed release with a configuration.
.DESCRIPTION
The vendor's script knows the type name, which has the assembly's version in it. It is read as a syntax tree and never run.
Runs inside _Envelope.ps1, which has the functions that the scripts share.
.PARAMETER ProviderName
The name to register; the vendor's script must say the same.
.PARAMETER RegistrationScript
The vendor's registration script of the installed release.
.PARAMETER ConfigurationPath
The configuration file to register with.
#>
[CmdletBinding()]
param(
    [Parameter(Mandatory = $true)] [string] $ProviderName,
    [Parameter(Mandatory = $true)] [string] $RegistrationScript,
    [Parameter(Mandatory = $true)] [string] $ConfigurationPath
)

function Write-Registration {
    # Tells Get-HostFacts that AD FS must be restarted after this time.
    param($Registration)
    $record = [ordered]@{ registered_at = Format-Utc ([datetime]::UtcNow); provider_name = $Registration.Name; type_name = $Registration.TypeName }
    Write-TextFile -Path ((Get-WorkFolder) + '\adapter-registered.json') -Text (ConvertTo-AsciiJson $record)
}

foreach ($path in $RegistrationScript, $ConfigurationPath) {
    if (-not (Test-Path -LiteralPath $path -PathType Leaf)) { throw (New-Failure not_found "$path does not exist") }
}
$registration = Get-Registration $RegistrationScript
if ($registration.Name -ne $ProviderName) { throw (New-Failure invalid_input "$RegistrationScript registers $($registration.Name) and not $ProviderName; it belongs to another release") }
Assert-AdfsPrimary
$present = Find-AdfsProvider $ProviderName
[void](Initialize-WorkFolder)
if ($null -ne $present) {
    $type = $present.PSObject.Properties['TypeName']
    if ($null -ne $type -and $type.Value -and [string]$type.Value -ne $registration.TypeName) {
        throw (New-Failure already_exists "$($present.Name) is registered with another type ($($type.Value)); unregister it first")
    }
    # Lost when the run was cut between registering and writing.
    if (-not (Test-Path -LiteralPath ((Get-WorkFolder) + '\adapter-registered.json'))) { Write-Registration $registration }
    return [ordered]@{ type_name = $registration.TypeName; already = $true }
}
# What an earlier registration left would say that AD FS has been restarted since, if this run is cut before it writes.
Remove-Item -LiteralPath ((Get-WorkFolder) + '\adapter-registered.json') -Force -ErrorAction Ignore
$call = @{ TypeName = $registration.TypeName; Name = $registration.Name; ConfigurationFilePath = $ConfigurationPath }
[void](Register-AdfsAuthenticationProvider @call)
Write-Registration $registration
[ordered]@{ type_name = $registration.TypeName; already = $false }
