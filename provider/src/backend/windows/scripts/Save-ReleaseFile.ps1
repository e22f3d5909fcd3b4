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
.PARAMETER MaximumLength
The most bytes that are taken, whatever the server announces.
#>
[CmdletBinding()]
param(
    [Parameter(Mandatory = $true)] [string] $Url,
    [Parameter(Mandatory = $true)] [string] $Sha256,
    [Parameter(Mandatory = $true)] [string] $FileName,
    [Parameter(Mandatory = $true)] [long] $MaximumLength
)

function Open-WebFile {
    # The server's answer. Without one it is the way there that failed.
    param([string] $Address, [string] $Shown)
    # Windows Server 2012 R2 and older offer TLS 1.2 only when told to.
    [System.Net.ServicePointManager]::SecurityProtocol = [System.Net.ServicePointManager]::SecurityProtocol -bor [System.Net.SecurityProtocolType]::Tls12
    $request = [System.Net.WebRequest]::Create($Address)
    # Without a limit a server that takes the connection and never answers holds the run for hours. The first is for the
    # first answer, the second for each silence after it.
    $request.Timeout = 300000
    $request.ReadWriteTimeout = 300000
    try { $request.GetResponse() }
    catch [System.Net.WebException] {
        $answer = $_.Exception.Response
        $status = if ($null -ne $answer) { [int]$answer.StatusCode } else { 0 }
        # A gateway or proxy that cannot get on is the way there, too.
        $kind = if ($status -in 0, 407, 502, 503, 504) { 'unreachable' } elseif ($status -in 401, 403) { 'access_denied' } elseif ($status -in 404, 410) { 'not_found' } else { 'other' }
        $reason = if ($status) { "the server answered with status $status" } else { $_.Exception.Message.Replace($Address, $Shown) }
        throw (New-Failure $kind "$Shown could not be fetched: $reason")
    }
}

function Save-WebFile {
    param([string] $Address, [string] $Path, [long] $Limit)
    $shown = ([uri]$Address).GetLeftPart([System.UriPartial]::Path) -replace '^(https://)[^/@]*@', '$1'
    $tooLong = New-Failure invalid_input "$shown is longer than the $Limit bytes that are taken"
    $buffer = New-Object byte[] 65536
    $total = [long]0
    $answer = Open-WebFile -Address $Address -Shown $shown
    try {
        if ($answer.ContentLength -gt $Limit) { throw $tooLong }
        $stream = $answer.GetResponseStream()
        $file = New-Object System.IO.FileStream (Resolve-NativePath $Path), ([System.IO.FileMode]::Create), ([System.IO.FileAccess]::Write), ([System.IO.FileShare]::None)
        try {
            while ($true) {
                try { $count = $stream.Read($buffer, 0, $buffer.Length) }
                catch { throw (New-Failure unreachable "$shown could not be fetched: the connection broke after $total bytes ($($_.Exception.GetBaseException().Message.Replace($Address, $shown)))") }
                if ($count -le 0) { break }
                $total += $count
                if ($total -gt $Limit) { throw $tooLong }
                $file.Write($buffer, 0, $count)
            }
        }
        finally { $file.Close() }
        # A connection that is closed early looks like the end.
        if ($total -lt $answer.ContentLength) { throw (New-Failure unreachable "$shown could not be fetched: the connection was closed after $total of $($answer.ContentLength) bytes") }
    }
    finally { $answer.Close() }
}

Assert-PlainName $FileName 'file name'
$Sha256 = $Sha256.ToLowerInvariant()
Assert-Sha256 $Sha256
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
    Save-WebFile -Address $Url -Path $partial -Limit $MaximumLength
    $found = Get-Sha256 $partial
    if ($found -ne $Sha256) { throw (New-Failure invalid_input "the file that was fetched has the SHA-256 hash $found instead of $Sha256; it was deleted") }
    Move-Item -LiteralPath $partial -Destination $path -Force
}
finally {
    if (Test-Path -LiteralPath $partial) { Remove-Item -LiteralPath $partial -Force }
}
[ordered]@{ path = $path; length = Get-FileLength $path; already = $false }
