#Requires -Version 5.1
<#
.SYNOPSIS
Takes, renews or gives back the lease that keeps two runs from changing this host at the same time.
.DESCRIPTION
The lease is the file lease.json in the work folder: who has it, for which set, and when it ends by this host's clock. It is read
and written while lease.lock is open for one process alone, so of two that want it at the same instant one gets it.
"take" is given to the run that has it already, and when there is none or when it has ended. "renew" and "release" touch the
run's own lease alone. Another run's lease is described in the answer, with what is left of its time: at most the time for
which it was given, whatever the clock has done since.
Runs inside _Envelope.ps1, which has the functions that the scripts share.
.PARAMETER Action
What to do.
.PARAMETER Run
The run that asks, a UUID.
.PARAMETER Owner
Whose run it is, for people.
.PARAMETER Set
The name of the set that is changed.
.PARAMETER Seconds
How long the lease lasts unless it is renewed.
.PARAMETER Abandoned
The SHA-256 hash of a lease file that was watched for the rest of its time without a change. That lease counts as ended.
#>
[CmdletBinding()]
param(
    [Parameter(Mandatory = $true)] [ValidateSet('take', 'renew', 'release')] [string] $Action,
    [Parameter(Mandatory = $true)] [string] $Run,
    [Parameter(Mandatory = $true)] [string] $Owner,
    [Parameter(Mandatory = $true)] [string] $Set,
    [Parameter(Mandatory = $true)] [ValidateRange(1, 3600)] [int] $Seconds,
    [string] $Abandoned
)

function Wait-FreeFile {
    # Does it as soon as no other process has the file open; nobody keeps one of these for long.
    param([scriptblock] $Work, [string] $Path)
    $waited = [System.Diagnostics.Stopwatch]::StartNew()
    while ($true) {
        try { return & $Work }
        catch {
            $reason = $_.Exception.GetBaseException()
            # Access is denied also to a file that a scanner holds, or that is about to be gone.
            $isDenied = $reason -is [System.UnauthorizedAccessException]
            if (-not $isDenied -and $reason -isnot [System.IO.IOException]) { throw }
            if ($waited.Elapsed.TotalSeconds -ge 10) { if ($isDenied) { throw } else { throw (New-Failure busy "$Path cannot be used: $($reason.Message)") } }
        }
        Start-Sleep -Milliseconds 50
    }
}

function ConvertTo-UtcTime {
    param($Text)
    $styles = [System.Globalization.DateTimeStyles]::AssumeUniversal -bor [System.Globalization.DateTimeStyles]::AdjustToUniversal
    [datetime]::ParseExact([string]$Text, 'yyyy-MM-ddTHH:mm:ssZ', [System.Globalization.CultureInfo]::InvariantCulture, $styles)
}

function Read-Lease {
    # The lease file, or nothing: its hash, what it says (null when it is damaged), and how many seconds it has left.
    param([string] $Path)
    if (-not (Test-Path -LiteralPath $Path)) { return }
    $lease = @{ identity = Get-Sha256 $Path; says = $null; left = $Seconds }
    $text = [System.IO.File]::ReadAllText((Resolve-NativePath $Path))
    try {
        $says = ConvertFrom-JsonText $text
        foreach ($name in 'run', 'owner', 'set', 'taken_at') { if ($says.$name -isnot [string]) { throw "$name is no text" } }
        $expires = ConvertTo-UtcTime $says.expires_at
        $lasts = ($expires - (ConvertTo-UtcTime $says.renewed_at)).TotalSeconds
        if (($says.format -is [int] -or $says.format -is [long]) -and $says.format -eq 1 -and $lasts -ge 1 -and $lasts -le 3600) {
            # A clock that was set back would keep it alive for as long.
            $lease['left'] = [int][Math]::Ceiling([Math]::Min($lasts, [Math]::Max([double]0, ($expires - [datetime]::UtcNow).TotalSeconds)))
            $lease['says'] = $says
        }
    }
    # Damaged, or of a release to come: only time can tell whether somebody still renews it.
    catch { Write-HostLog -Level debug -Message "$Path cannot be read as a lease" }
    $lease
}

function Write-Lease {
    param([string] $Path, [string] $TakenAt)
    $now = [datetime]::UtcNow
    $lease = [ordered]@{
        format = 1; run = $Run; owner = $Owner; set = $Set
        taken_at = if ($TakenAt) { $TakenAt } else { Format-Utc $now }
        renewed_at = Format-Utc $now; expires_at = Format-Utc ($now.AddSeconds($Seconds))
    }
    Wait-FreeFile -Path $Path -Work { Write-TextFile -Path $Path -Text (ConvertTo-AsciiJson $lease) }
}

$folder = if ($Action -eq 'take') { Initialize-WorkFolder } else { Get-WorkFolder }
$path = "$folder\lease.json"
$answer = [ordered]@{ held = $false; found = 'nothing'; path = $path; other = $null; identity = $null; seconds_left = $null }
if (-not (Test-Path -LiteralPath $folder)) { return $answer }
Assert-WorkPath $path
$lockPath = "$folder\lease.lock"
Assert-WorkPath $lockPath
$lock = Wait-FreeFile -Path $lockPath -Work {
    New-Object System.IO.FileStream (Resolve-NativePath $lockPath), ([System.IO.FileMode]::OpenOrCreate), ([System.IO.FileAccess]::ReadWrite), ([System.IO.FileShare]::None)
}
try {
    $lease = Read-Lease $path
    $says = if ($null -ne $lease) { $lease['says'] } else { $null }
    $isOwn = $null -ne $says -and $says.run -ceq $Run
    if ($isOwn) { $answer['found'] = 'own' }
    elseif ($null -ne $lease) {
        $answer['found'] = if ($null -eq $says) { 'damaged' } elseif ($lease['left'] -eq 0) { 'ended' } else { 'other' }
        $answer['identity'] = $lease['identity']
        $answer['seconds_left'] = $lease['left']
        if ($null -ne $says) { $answer['other'] = [ordered]@{ owner = $says.owner; set = $says.set; taken_at = $says.taken_at; renewed_at = $says.renewed_at; expires_at = $says.expires_at } }
    }
    $isFree = $answer['found'] -in 'nothing', 'own', 'ended' -or $answer['identity'] -ceq $Abandoned
    if (($Action -eq 'take' -and $isFree) -or ($Action -eq 'renew' -and $isOwn)) {
        Write-Lease -Path $path -TakenAt $(if ($isOwn) { $says.taken_at })
        $answer['held'] = $true
    }
    elseif ($Action -eq 'release' -and $isOwn) { Wait-FreeFile -Path $path -Work { Remove-Item -LiteralPath $path -Force } }
}
finally { $lock.Close() }
$answer
