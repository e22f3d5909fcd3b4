<#
.SYNOPSIS
Makes the files with versions that simulated installers put on hosts.
.DESCRIPTION
Writes <cache>/assemblies/<version>.dll with that file version, and for the AD FS adapter, where an assembly version is given, <cache>/assemblies/
MultiFactorAuthAdfsAdapter-<assembly version>.dll with the vendor's assembly name and public key token. What is there already is kept.
.PARAMETER Cache
The cache folder.
.PARAMETER Version
File versions to make, such as 6.3.1.1.
.PARAMETER AdapterVersion
Assembly versions of the adapter to make, such as 6.3.0.17452.
#>
[CmdletBinding()]
param(
    [Parameter(Mandatory = $true)] [string] $Cache,
    [string[]] $Version = @(),
    [string[]] $AdapterVersion = @()
)

$ErrorActionPreference = 'Stop'
# `pwsh -File` hands a list over as one text.
$Version = @($Version | ForEach-Object { $_.Split(',') } | Where-Object { $_ })
$AdapterVersion = @($AdapterVersion | ForEach-Object { $_.Split(',') } | Where-Object { $_ })
$folder = "$Cache/assemblies"
[void][System.IO.Directory]::CreateDirectory($folder)

function Save-Assembly {
    # Written under a name of its own and moved, because several may run at once.
    param([string] $Name, [string] $AssemblyVersion, [byte[]] $PublicKey, [string] $Target)
    if ([System.IO.File]::Exists($Target)) { return }
    $identity = New-Object System.Reflection.AssemblyName $Name
    $identity.Version = [version]$AssemblyVersion
    if ($PublicKey) { $identity.SetPublicKey($PublicKey) }
    $assembly = New-Object System.Reflection.Emit.PersistedAssemblyBuilder $identity, ([object].Assembly), $null
    $constructor = [System.Reflection.AssemblyFileVersionAttribute].GetConstructor(@([string]))
    $assembly.SetCustomAttribute((New-Object System.Reflection.Emit.CustomAttributeBuilder $constructor, @($AssemblyVersion)))
    [void]$assembly.DefineDynamicModule($Name)
    $assembly.Save("$Target.$PID")
    [System.IO.File]::Move("$Target.$PID", $Target, $true)
}

foreach ($one in $Version) { Save-Assembly -Name Lab -AssemblyVersion $one -Target "$folder/$one.dll" }
# The vendor signs with the key that the engine itself is signed with; its public half is enough to carry the same token.
$key = [psobject].Assembly.GetName().GetPublicKey()
foreach ($one in $AdapterVersion) { Save-Assembly -Name MultiFactorAuthAdfsAdapter -AssemblyVersion $one -PublicKey $key -Target "$folder/MultiFactorAuthAdfsAdapter-$one.dll" }
