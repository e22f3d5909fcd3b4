<#
.SYNOPSIS
Loads the compiled part of the simulated host; compiles it into the cache folder when it is not there yet.
.DESCRIPTION
The file's name has the hash of its source, so a change is compiled anew and several versions live side by side.
.PARAMETER Cache
The cache folder.
#>
[CmdletBinding()]
param(
    [Parameter(Mandatory = $true)] [string] $Cache
)

$source = [System.IO.File]::ReadAllText("$PSScriptRoot/LabHost.cs")
$digest = [System.Security.Cryptography.SHA256]::Create().ComputeHash([System.Text.Encoding]::UTF8.GetBytes($source + $PSHOME))
$file = '{0}/LabHost-{1}.dll' -f $Cache, [BitConverter]::ToString($digest).Replace('-', '').Substring(0, 16)
if (-not [System.IO.File]::Exists($file)) {
    [void][System.IO.Directory]::CreateDirectory($Cache)
    # Several hosts may start at once: each compiles under a name of its own, the last rename wins.
    $fresh = "$Cache/LabHost-new-$PID.dll"
    Add-Type -TypeDefinition $source -OutputAssembly $fresh -OutputType Library -ReferencedAssemblies System.Management.Automation, System.Text.Json, System.Collections, System.Linq, System.ObjectModel, System.Runtime, System.Net.Requests, System.Net.Primitives, System.Net.WebHeaderCollection, System.Threading, System.Threading.Thread, System.Text.Encoding.Extensions, System.Memory, netstandard
    [System.IO.File]::Move($fresh, $file, $true)
}
Import-Module -Name $file -Global
