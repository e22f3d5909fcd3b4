#Requires -Version 5.1
<#
.SYNOPSIS
Puts the old web.config back, or carries its values into the new one.
.DESCRIPTION
The old file goes back when both have the same keys, the same configSections and the same .NET generation. Otherwise the values of
appSettings and applicationSettings that the new file also has are carried over. Values never leave the host, only names do.
Runs inside _Envelope.ps1, which has the functions that the scripts share.
.PARAMETER Path
The live web.config.
.PARAMETER BackupId
The upgrade whose backup holds the old one. The open backup counts, else the newest closed one that was configured.
.PARAMETER Name
What the copy of the web application is called in the backup.
.PARAMETER WebServiceSdkUrl
The address of the Web Service SDK when it shall be another than the old one.
#>
[CmdletBinding()]
param(
    [Parameter(Mandatory = $true)] [string] $Path,
    [Parameter(Mandatory = $true)] [string] $BackupId,
    [Parameter(Mandatory = $true)] [string] $Name,
    [string] $WebServiceSdkUrl
)

function Find-OldFile {
    $open = (Get-WorkFolder) + "\backups\$BackupId\$Name"
    foreach ($folder in @(Get-BackupFolder -BackupId $BackupId -Name $Name)) {
        $file = Get-ChildItem -LiteralPath $folder -File -Force | Where-Object { $_.Name -eq 'web.config' } | Select-Object -First 1
        if ($null -eq $file) { continue }
        $old = "$folder\$($file.Name)"
        if ($folder -eq $open) { return $old }
        $entries = @(Get-ConfigurationEntry -Document (Read-XmlFile $old) -Path $old)
        if (-not @(Get-PlaceholderKey $entries).Count) { return $old }
    }
    throw (New-Failure precondition "there is no complete backup $Name of $BackupId with a configured web.config on this host; carry the settings into $Path by hand")
}

function Get-SectionText {
    # The declared sections and groups as comparable lines.
    param([System.Xml.XmlDocument] $Document)
    $lines = foreach ($node in $Document.SelectNodes('/configuration/configSections//*')) {
        $attributes = foreach ($attribute in $node.Attributes) { "$($attribute.Name)=$($attribute.Value)" }
        "$($node.ParentNode.GetAttribute('name'))/$($node.LocalName) " + (@(Get-SortedName @($attributes)) -join ' ')
    }
    @(Get-SortedName @($lines)) -join "`n"
}

function Get-Generation {
    # 4 when anything in the file asks for .NET 4, else 2.
    param([System.Xml.XmlDocument] $Document)
    foreach ($node in $Document.SelectNodes('//system.web/compilation/@targetFramework | //system.web/httpRuntime/@targetFramework')) {
        if ($node.Value -match '^\s*v?4') { return 4 }
    }
    foreach ($node in $Document.SelectNodes('/configuration/configSections//@type | //system.web/compilation/assemblies/add/@assembly')) {
        if ($node.Value -match 'Version=4\.') { return 4 }
    }
    2
}

function Get-EntryName {
    # What tells one entry from another: appSettings are looked up in any casing.
    param($Entry)
    "$($Entry.Kind)|$($Entry.Key)".ToLowerInvariant()
}

function Test-SameShape {
    param($OldDocument, $NewDocument, $OldEntries, $NewEntries)
    $old = @(Get-SortedName @($OldEntries | ForEach-Object { Get-EntryName $_ })) -join "`n"
    $new = @(Get-SortedName @($NewEntries | ForEach-Object { Get-EntryName $_ })) -join "`n"
    $old -eq $new -and (Get-Generation $OldDocument) -eq (Get-Generation $NewDocument) -and
    (Get-SectionText $OldDocument) -ceq (Get-SectionText $NewDocument)
}

function Find-Counterpart {
    # The entry of the new file that an old one goes to. The address of the SDK is found under either of its prefixes.
    param($Entry, $NewEntries)
    $same = $NewEntries | Where-Object { (Get-EntryName $_) -eq (Get-EntryName $Entry) } | Select-Object -First 1
    if ($null -eq $same -and $Entry.Key -match '_pfwssdk_PfWsSdk$') { $same = Get-WebServiceSdkEntry $NewEntries }
    if ($null -ne $same -and $null -ne $same.Node -and $null -ne $Entry.Node) { $same }
}

function Copy-EntryValue {
    # Returns the key when the value changed.
    param($Entry, $Target)
    if ($Entry.Node.NodeType -ne $Target.Node.NodeType) { return }
    if ($Entry.Node.NodeType -eq [System.Xml.XmlNodeType]::Attribute) {
        if ($Target.Node.Value -cne $Entry.Node.Value) { $Target.Node.Value = $Entry.Node.Value; $Target.Key }
    }
    elseif ($Target.Node.InnerXml -cne $Entry.Node.InnerXml) { $Target.Node.InnerXml = $Entry.Node.InnerXml; $Target.Key }
}

function Set-Address {
    # Returns the key when the address changed.
    param($Entries)
    if (-not $WebServiceSdkUrl) { return }
    $address = Get-WebServiceSdkEntry $Entries
    if ($null -eq $address) { throw (New-Failure precondition "$Path has no setting for the address of the Web Service SDK") }
    if ((Get-EntryValue $address) -ceq $WebServiceSdkUrl) { return }
    if ($address.Node.NodeType -eq [System.Xml.XmlNodeType]::Attribute) { $address.Node.Value = $WebServiceSdkUrl } else { $address.Node.InnerText = $WebServiceSdkUrl }
    $address.Key
}

$oldPath = Find-OldFile
$oldDocument = Read-XmlFile $oldPath
$newDocument = Read-XmlFile $Path
$oldEntries = @(Get-ConfigurationEntry -Document $oldDocument -Path $oldPath)
$newEntries = @(Get-ConfigurationEntry -Document $newDocument -Path $Path)
$oldAddress = Get-WebServiceSdkEntry $oldEntries
$sameAddress = -not $WebServiceSdkUrl -or ($null -ne $oldAddress -and (Get-EntryValue $oldAddress) -ceq $WebServiceSdkUrl)

if ($sameAddress -and (Test-SameShape $oldDocument $newDocument $oldEntries $newEntries)) {
    $outcome = 'unchanged'
    if ((Get-Sha256 $oldPath) -ne (Get-Sha256 $Path)) {
        $native = Resolve-NativePath $Path
        try {
            Copy-Item -LiteralPath $oldPath -Destination "$Path.new" -Force
            Move-WholeFile -Source "$native.new" -Destination $native
        }
        # A copy with passwords must not stay in the application's folder. No error when it is not there.
        finally { [System.IO.File]::Delete("$native.new") }
        $outcome = 'restored'
    }
    return [ordered]@{ outcome = $outcome; carried = @(); not_carried = @(); placeholders = @(Get-PlaceholderKey $oldEntries) }
}

$lost = @()
$carried = foreach ($entry in $oldEntries) {
    $target = Find-Counterpart $entry $newEntries
    if ($null -ne $target) { Copy-EntryValue $entry $target } else { $lost += $entry.Key }
}
$carried = @(@($carried) + @(Set-Address $newEntries) | Where-Object { $_ } | Select-Object -Unique)
if ($carried.Count) { Save-XmlFile -Document $newDocument -Path $Path -Like $Path }
[ordered]@{
    outcome = if ($carried.Count) { 'merged' } else { 'unchanged' }
    carried = @(Get-SortedName $carried)
    not_carried = @(Get-SortedName $lost)
    placeholders = @(Get-PlaceholderKey $newEntries)
}
