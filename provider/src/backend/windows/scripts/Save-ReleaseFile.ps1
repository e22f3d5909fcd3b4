#Requires -Version 5.1
<#
.SYNOPSIS
Fetches a release file over https and keeps it only when its hash is the promised one.
.DESCRIPTION
Runs inside _Envelope.ps1, which has the functions that the scripts share.
.PARAMETER Url
Where the file is; https only. What follows a question mark may be a secret and is never shown.
.PARAMETER Sha256
The hash that the file must have.
.PARAMETER FileName
What the file is called on the host.
#>
[CmdletBinding()]
param(
    [Parameter(Mandatory = $true)] [string] $Url,
    [Parameter(Mandatory = $true)] [string] $Sha256,
    [Parameter(Mandatory = $true)] [string] $FileName
)

function Save-WebFile {
    param([string] $Address, [string] $Path)
    # Windows Server 2012 R2 and older offer TLS 1.2 only when told to.
    [System.Net.ServicePointManager]::SecurityProtocol = [System.Net.ServicePointManager]::SecurityProtocol -bor [System.Net.SecurityProtocolType]::Tls12
    # Without a limit a server that takes the connection and never answers holds the run for hours. It is for the first
    # answer; the file itself may take longer.
    try { Invoke-WebRequest -Uri $Address -OutFile $Path -UseBasicParsing -TimeoutSec 300 }
    catch {
        $shown = ([uri]$Address).GetLeftPart([System.UriPartial]::Path) -replace '^(https://)[^/@]*@', '$1'
        $answer = $_.Exception.PSObject.Properties['Response']
        $status = if ($null -ne $answer -and $null -ne $answer.Value) { [int]$answer.Value.StatusCode } else { 0 }
        $kind = switch ($status) { 401 { 'access_denied' } 403 { 'access_denied' } 404 { 'not_found' } 410 { 'not_found' } default { 'other' } }
        $reason = if ($status) { "the server answered with status $status" } else { $_.Exception.Message.Replace($Address, $shown) }
        throw (New-Failure $kind "$shown could not be fetched: $reason")
    }
}

Assert-PlainName $FileName 'file name'
$Sha256 = $Sha256.ToLowerInvariant()
if ($Sha256 -notmatch '^[0-9a-f]{64}$') { throw (New-Failure invalid_input 'a SHA-256 hash has 64 hexadecimal digits') }
$parsed = $null
if (-not [uri]::TryCreate($Url, [System.UriKind]::Absolute, [ref]$parsed) -or $parsed.Scheme -ne 'https') { throw (New-Failure invalid_input 'a release file is fetched over https; another kind of address was given') }

$folder = (Get-WorkFolder) + '\staging\' + $Sha256.Substring(0, 16)
$path = "$folder\$FileName"
if ((Test-Path -LiteralPath $path -PathType Leaf) -and (Get-Sha256 $path) -eq $Sha256) {
    return [ordered]@{ path = $path; length = Get-FileLength $path; already = $true }
}
[void](Initialize-WorkFolder)
Assert-WorkPath $path
if (-not (Test-Path -LiteralPath $folder)) { [void](New-Item -ItemType Directory -Path $folder) }
$partial = "$path.partial"
try {
    Save-WebFile -Address $Url -Path $partial
    $found = Get-Sha256 $partial
    if ($found -ne $Sha256) { throw (New-Failure invalid_input "the file that was fetched has the SHA-256 hash $found instead of $Sha256; it was deleted") }
    Move-Item -LiteralPath $partial -Destination $path -Force
}
finally {
    if (Test-Path -LiteralPath $partial) { Remove-Item -LiteralPath $partial -Force }
}
[ordered]@{ path = $path; length = Get-FileLength $path; already = $false }
