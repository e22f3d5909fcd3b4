#Requires -Version 5.1
<#
.SYNOPSIS
Carries the values of an exported adapter configuration into the file that came with the new adapter.
.DESCRIPTION
Writes a new file in the work folder; values never leave the host, only names do.
Runs inside _Envelope.ps1, which has the functions that the scripts share.
.PARAMETER ExportedPath
The exported configuration; inside the work folder.
.PARAMETER TemplatePath
The configuration file of the new adapter.
.PARAMETER OutputPath
Where the result goes; inside the work folder.
#>
[CmdletBinding()]
param(
    [Parameter(Mandatory = $true)] [string] $ExportedPath,
    [Parameter(Mandatory = $true)] [string] $TemplatePath,
    [Parameter(Mandatory = $true)] [string] $OutputPath
)

Assert-WorkPath $ExportedPath
Assert-WorkPath $OutputPath
$old = @(Get-LeafNode (Read-XmlFile $ExportedPath))
$document = Read-XmlFile $TemplatePath
$new = @(Get-LeafNode $document)
[void](Initialize-WorkFolder)
$carried = @()
$lost = @()
foreach ($node in $old) {
    $targets = @($new | Where-Object { $_.LocalName -eq $node.LocalName })
    if (-not $targets.Count) { $lost += $node.LocalName; continue }
    foreach ($target in $targets) { $target.InnerText = $node.InnerText }
    $carried += $targets[0].LocalName
}
$folder = $OutputPath.Substring(0, $OutputPath.LastIndexOf('\'))
if (-not (Test-Path -LiteralPath $folder)) { [void](New-Item -ItemType Directory -Path $folder -Force) }
Save-XmlFile -Document $document -Path $OutputPath -Like $TemplatePath
[ordered]@{
    carried = @(Get-SortedName @($carried | Select-Object -Unique))
    not_carried = @(Get-SortedName @($lost | Select-Object -Unique))
}
