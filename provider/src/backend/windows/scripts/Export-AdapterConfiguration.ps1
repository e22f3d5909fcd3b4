#Requires -Version 5.1
<#
.SYNOPSIS
Writes the configuration of the registered AD FS adapter to a protected file.
.DESCRIPTION
It holds a password in plain text, so it stays in the work folder and only the names of its nodes are returned. A file that is there
already is kept once the adapter is unregistered, because there is no other copy. Until then AD FS knows better: the file may be of
a run that was given up long ago, with a password that has changed since.
Runs inside _Envelope.ps1, which has the functions that the scripts share.
.PARAMETER ProviderName
The registered name.
.PARAMETER Path
Where the file goes; inside the work folder.
#>
[CmdletBinding()]
param(
    [Parameter(Mandatory = $true)] [string] $ProviderName,
    [Parameter(Mandatory = $true)] [string] $Path
)

function Get-NodeName {
    param([string] $File)
    Get-SortedName @(Get-LeafNode (Read-XmlFile $File) | ForEach-Object { $_.LocalName } | Select-Object -Unique)
}

Assert-WorkPath $Path
Assert-AdfsPrimary
$provider = Find-AdfsProvider $ProviderName
if ($null -eq $provider) {
    if (Test-Path -LiteralPath $Path -PathType Leaf) { return [ordered]@{ path = $Path; keys = @(Get-NodeName $Path); already = $true } }
    throw (New-Failure not_found "no authentication provider $ProviderName is registered in AD FS")
}
[void](Initialize-WorkFolder)
$folder = $Path.Substring(0, $Path.LastIndexOf('\'))
if (-not (Test-Path -LiteralPath $folder)) { [void](New-Item -ItemType Directory -Path $folder -Force) }
$partial = "$Path.partial"
try {
    Export-AdfsAuthenticationProviderConfigurationData -Name $provider.Name -FilePath $partial -Confirm:$false
    if (-not (Test-Path -LiteralPath $partial -PathType Leaf) -or (Get-FileLength $partial) -eq 0) {
        throw (New-Failure precondition "$ProviderName is registered without a configuration, so there is nothing to carry over")
    }
    $keys = @(Get-NodeName $partial)
    Move-Item -LiteralPath $partial -Destination $Path -Force
}
finally {
    if (Test-Path -LiteralPath $partial) { Remove-Item -LiteralPath $partial -Force }
}
[ordered]@{ path = $Path; keys = $keys; already = $false }
