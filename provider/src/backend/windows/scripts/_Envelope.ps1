<#
.SYNOPSIS
Runs one script of the provider on a Windows host and writes its answer as one line of JSON.
.DESCRIPTION
Sent with every call, before the script. Holds what the scripts share: failures of a closed set of kinds, log lines, pure ASCII
JSON, the protected work folder, backups, hashes, the registry, XML, and web.config.
A line that starts with AZUREMFA-REPLY: is the answer and the only one; AZUREMFA-LOG: lines may come before it.
#>
param(
    [string] $ScriptName,
    [string] $ScriptText,
    [string] $ArgumentText,
    [System.IO.Stream] $InputStream,
    # In a worker: the call's number, and where its reply is kept.
    [System.Collections.IDictionary] $Call
)
Set-StrictMode -Version 2
$ErrorActionPreference = 'Stop'
$ProgressPreference = 'SilentlyContinue'
# The console host writes warnings to stdout; what matters is returned or logged.
$WarningPreference = 'SilentlyContinue'
$ConfirmPreference = 'None'

# Where this provider's scheduled tasks are.
$installerTasks = '\terraform-provider-azuremfa\'
$guardTasks = '\terraform-provider-azuremfa\guard\'
$guardTask = 'second-factor'

# ---- Failures, log lines and JSON ----

function New-Failure {
    # An exception of one of the kinds that the provider knows, to be thrown.
    param([string] $Kind, [string] $Message)
    $failure = New-Object System.InvalidOperationException $Message
    $failure.Data['azuremfa_kind'] = $Kind
    $failure
}

function Write-HostLog {
    param([ValidateSet('debug', 'info', 'warn', 'error')] [string] $Level, [string] $Message)
    [Console]::Out.WriteLine('AZUREMFA-LOG:' + (ConvertTo-AsciiJson ([ordered]@{ level = $Level; message = $Message })))
}

function ConvertTo-JsonString {
    param([string] $Text)
    $escape = { param($match) if ($match.Value -in '"', '\') { '\' + $match.Value } else { '\u{0:x4}' -f [int][char]$match.Value } }
    '"' + [regex]::Replace($Text, '[^\x20\x21\x23-\x5b\x5d-\x7e]', [System.Text.RegularExpressions.MatchEvaluator]$escape) + '"'
}

function ConvertTo-AsciiJson {
    # Own writer: ConvertTo-Json of 5.1 wraps some lists as {value, Count}, writes /Date()/ and lets non-ASCII through.
    param($Value)
    if ($null -eq $Value) { return 'null' }
    if ($Value -is [bool]) { if ($Value) { return 'true' } else { return 'false' } }
    if ($Value -is [string] -or $Value -is [char]) { return ConvertTo-JsonString ([string]$Value) }
    if ($Value -is [int] -or $Value -is [long] -or $Value -is [uint32] -or $Value -is [uint16] -or $Value -is [byte]) {
        return ([long]$Value).ToString([System.Globalization.CultureInfo]::InvariantCulture)
    }
    if ($Value -is [System.Collections.IDictionary]) {
        # By enumerator: a result may well have a name such as "keys", which would hide the property.
        $pairs = foreach ($entry in $Value.GetEnumerator()) { (ConvertTo-JsonString ([string]$entry.Key)) + ':' + (ConvertTo-AsciiJson $entry.Value) }
        return '{' + (@($pairs) -join ',') + '}'
    }
    if ($Value -is [System.Collections.IEnumerable]) {
        $items = foreach ($item in $Value) { ConvertTo-AsciiJson $item }
        return '[' + (@($items) -join ',') + ']'
    }
    throw "a $($Value.GetType().FullName) has no place in a reply"
}

function ConvertFrom-JsonText {
    param([string] $Text)
    $options = @{}
    # PowerShell 7 turns texts that look like dates into dates, also in lists; 5.1 does not. Told so, 7.5 leaves them.
    if ((Get-Command -Name ConvertFrom-Json).Parameters.ContainsKey('DateKind')) { $options['DateKind'] = 'String' }
    ConvertFrom-Json -InputObject $Text @options
}

function ConvertFrom-ArgumentText {
    # A JSON object with snake_case names as a hashtable of script parameters. Null means not given.
    param([string] $Text)
    $parameters = @{}
    $document = ConvertFrom-JsonText $Text
    foreach ($property in $document.PSObject.Properties) {
        $words = foreach ($word in $property.Name.Split('_')) { $word.Substring(0, 1).ToUpperInvariant() + $word.Substring(1) }
        $value = $property.Value
        if ($null -ne $value) { $parameters[@($words) -join ''] = $value }
    }
    $parameters
}

function Format-Utc {
    param([datetime] $Time)
    $Time.ToUniversalTime().ToString('yyyy-MM-ddTHH:mm:ssZ', [System.Globalization.CultureInfo]::InvariantCulture)
}

function Get-FailureKind {
    # Sorts what a cmdlet or .NET threw into the closed set.
    param([System.Management.Automation.ErrorRecord] $Failure)
    $found = $null
    for ($exception = $Failure.Exception; $null -ne $exception; $exception = $exception.InnerException) {
        if ($exception.Data -and $exception.Data['azuremfa_kind']) { return [string]$exception.Data['azuremfa_kind'] }
        if ($null -ne $found) { continue }
        if ($exception -is [System.Management.Automation.ParameterBindingException]) { $found = 'invalid_input' }
        elseif ($exception -is [System.Management.Automation.CommandNotFoundException]) { $found = 'other' }
        elseif ($exception -is [System.UnauthorizedAccessException] -or $exception -is [System.Security.SecurityException]) { $found = 'access_denied' }
        elseif ($exception -is [System.TimeoutException]) { $found = 'timed_out' }
        elseif ($exception -is [System.Management.Automation.ItemNotFoundException] -or $exception -is [System.Management.Automation.DriveNotFoundException]) { $found = 'not_found' }
        elseif ($exception -is [System.IO.FileNotFoundException] -or $exception -is [System.IO.DirectoryNotFoundException]) { $found = 'not_found' }
        # A sharing or a lock violation: something else has the file open.
        elseif ($exception -is [System.IO.IOException] -and ($exception.HResult -band 0xffff) -in 32, 33) { $found = 'busy' }
    }
    if ($null -ne $found) { return $found }
    switch ([string]$Failure.CategoryInfo.Category) {
        'PermissionDenied' { return 'access_denied' }
        'ObjectNotFound' { return 'not_found' }
        'ResourceExists' { return 'already_exists' }
        'ResourceBusy' { return 'busy' }
        'OperationTimeout' { return 'timed_out' }
    }
    'other'
}

function Write-Reply {
    param([System.Collections.IDictionary] $Reply)
    if ($null -ne $Call) { $Reply['call'] = $Call['number'] }
    $line = 'AZUREMFA-REPLY:' + (ConvertTo-AsciiJson $Reply)
    if ($null -ne $Call) { $Call['reply'] = $line }
    [Console]::Out.WriteLine($line)
}

# ---- Files ----

function Resolve-NativePath {
    # What .NET must be given for a path that cmdlets understand.
    param([string] $Path)
    $ExecutionContext.SessionState.Path.GetUnresolvedProviderPathFromPSPath($Path)
}

function Get-Sha256 {
    param([string] $Path)
    (Get-FileHash -LiteralPath $Path -Algorithm SHA256).Hash.ToLowerInvariant()
}

function Get-FileLength {
    param([string] $Path)
    [long](Get-Item -LiteralPath $Path -Force).Length
}

function Get-SortedName {
    # By code point, so that every host and the simulation agree. Returns nothing for no names: wrap the call in @().
    param([string[]] $Name)
    if ($null -eq $Name -or $Name.Length -eq 0) { return }
    $sorted = [string[]]@($Name)
    [Array]::Sort($sorted, [StringComparer]::Ordinal)
    $sorted
}

function Get-RelativeFile {
    # The files below a folder: relative name (with backslashes) and path, sorted by name.
    param([string] $Folder)
    $root = (Get-Item -LiteralPath $Folder -Force).FullName.TrimEnd('\', '/')
    $found = @{}
    foreach ($item in @(Get-ChildItem -LiteralPath $Folder -Recurse -Force -File)) {
        $found[$item.FullName.Substring($root.Length + 1).Replace('/', '\')] = $item.FullName
    }
    foreach ($name in @(Get-SortedName @($found.Keys))) { New-Object PSObject -Property @{ Name = $name; Path = $found[$name] } }
}

function Write-TextFile {
    # Whole or not at all: a reader never sees half a file.
    param([string] $Path, [string] $Text)
    $native = Resolve-NativePath $Path
    [System.IO.File]::WriteAllText("$native.new", $Text, (New-Object System.Text.UTF8Encoding $false))
    Move-WholeFile -Source "$native.new" -Destination $native
}

function Move-WholeFile {
    # Native paths. Keeps the access list of a file that is replaced.
    param([string] $Source, [string] $Destination)
    if ([System.IO.File]::Exists($Destination)) { [System.IO.File]::Replace($Source, $Destination, [System.Management.Automation.Language.NullString]::Value) }
    else { [System.IO.File]::Move($Source, $Destination) }
}

# ---- Raw bytes that follow the arguments on stdin ----

function Copy-InputStream {
    # Writes what is left of stdin where the file stands, at most as much as was promised; one piece more is looked at.
    # Returns how much came and the hash of what was written.
    param([System.IO.Stream] $File, [long] $Expected)
    $buffer = New-Object byte[] 65536
    $total = [long]0
    $hash = New-Sha256
    while (($count = $InputStream.Read($buffer, 0, $buffer.Length)) -gt 0) {
        $total += $count
        if ($total -gt $Expected) { break }
        $File.Write($buffer, 0, $count)
        [void]$hash.TransformBlock($buffer, 0, $count, $null, 0)
    }
    [void]$hash.TransformFinalBlock($buffer, 0, 0)
    New-Object PSObject -Property @{ Length = $total; Sha256 = ConvertTo-Hexadecimal $hash.Hash }
}

function Clear-InputStream {
    # The sender must be able to finish, whether or not its bytes are needed.
    $buffer = New-Object byte[] 65536
    do { $count = $InputStream.Read($buffer, 0, $buffer.Length) } while ($count -gt 0)
}

function New-Sha256 {
    # The system's own, as Get-FileHash takes it: what SHA256.Create gives before .NET Framework 4.8 is slow managed code, and
    # throws on hosts whose policy allows validated cryptography alone (FIPS).
    New-Object System.Security.Cryptography.SHA256CryptoServiceProvider
}

function ConvertTo-Hexadecimal {
    param([byte[]] $Bytes)
    [BitConverter]::ToString($Bytes).Replace('-', '').ToLowerInvariant()
}

function Assert-Sha256 {
    param([string] $Sha256)
    if ($Sha256 -notmatch '^[0-9a-f]{64}$') { throw (New-Failure invalid_input 'a SHA-256 hash has 64 hexadecimal digits') }
}

function Open-PartialRange {
    # The temporary file of a transfer, standing where a range begins. Others may write their ranges, but nobody may delete or
    # rename it meanwhile: what is complete has no writer any more.
    param([string] $Path, [long] $FileLength, [long] $Offset, [long] $Length, [System.IO.FileAccess] $Access)
    $partial = "$Path.partial"
    Assert-WorkPath $Path
    Assert-WorkPath $partial
    if ($Offset -lt 0 -or $Length -lt 0 -or $Offset -gt $FileLength - $Length) { throw (New-Failure invalid_input "$Length bytes at $Offset are no range of a file of $FileLength bytes") }
    if (-not (Test-Path -LiteralPath $partial -PathType Leaf)) { throw (New-Failure not_found "$partial is not there; it was removed while the file was sent") }
    $file = New-Object System.IO.FileStream (Resolve-NativePath $partial), ([System.IO.FileMode]::Open), $Access, ([System.IO.FileShare]::ReadWrite)
    try {
        if ($file.Length -ne $FileLength) { throw (New-Failure precondition "$partial has $($file.Length) bytes instead of $FileLength; another transfer of the file is under way") }
        [void]$file.Seek($Offset, [System.IO.SeekOrigin]::Begin)
    }
    catch { $file.Close(); throw }
    $file
}

function Read-Block {
    # Reads until so many bytes are in the buffer or the file ends; how many there are.
    param([System.IO.Stream] $File, [byte[]] $Buffer, [int] $Length)
    $have = 0
    while ($have -lt $Length) {
        $count = $File.Read($Buffer, $have, $Length - $have)
        if ($count -eq 0) { break }
        $have += $count
    }
    $have
}

function Test-ReceivedFile {
    # Whether the very file is there already.
    param([string] $Path, [long] $Length, [string] $Sha256)
    (Test-Path -LiteralPath $Path -PathType Leaf) -and (Get-FileLength $Path) -eq $Length -and (Get-Sha256 $Path) -eq $Sha256
}

# ---- The work folder: SYSTEM and Administrators only ----

function Get-WorkFolder { $env:ProgramData.TrimEnd('\') + '\terraform-provider-azuremfa' }

function Test-ReparsePoint {
    param([string] $Path)
    $item = Get-Item -LiteralPath $Path -Force
    [bool]($item.Attributes -band [System.IO.FileAttributes]::ReparsePoint)
}

function Initialize-ProtectedFolder {
    # Makes the folder, or accepts one that SYSTEM or Administrators own. Everyone may create folders in %ProgramData%,
    # so a folder of another owner may have been laid out in wait.
    param([string] $Path)
    $descriptor = 'O:BAG:BAD:PAI(A;OICI;FA;;;SY)(A;OICI;FA;;;BA)'
    if (-not (Test-Path -LiteralPath $Path)) {
        [void](New-Item -ItemType Directory -Path $Path)
        try { Set-ProtectedAcl -Path $Path -Descriptor $descriptor }
        catch { Remove-Item -LiteralPath $Path -Recurse -Force; throw }
        return
    }
    if (-not (Test-Path -LiteralPath $Path -PathType Container) -or (Test-ReparsePoint $Path)) {
        throw (New-Failure precondition "$Path is no ordinary folder (a link, a junction or a file). Remove it; it is made again")
    }
    $present = (Get-Acl -LiteralPath $Path).Sddl
    $owner = if ($present -match 'O:([A-Z]{2}|S-[0-9-]+)') { $Matches[1] } else { 'nobody' }
    if ($owner -notin 'BA', 'SY', 'S-1-5-32-544', 'S-1-5-18') {
        throw (New-Failure precondition "$Path belongs to $owner and not to SYSTEM or Administrators. Look at what is in it, then remove it; it is made again")
    }
    $trustees = @([regex]::Matches(($present -replace '^.*?D:', 'D:' -replace 'S:.*$', ''), '\((?:[^;)]*;){5}([^;)]*)') | ForEach-Object { $_.Groups[1].Value })
    $foreign = @($trustees | Where-Object { $_ -notin 'BA', 'SY' })
    if ($present -notmatch 'D:[A-Z]*P' -or $foreign.Count) {
        Write-HostLog -Level warn -Message "$Path was open to others than SYSTEM and Administrators; it is closed again"
        Set-ProtectedAcl -Path $Path -Descriptor $descriptor
    }
}

function Set-ProtectedAcl {
    param([string] $Path, [string] $Descriptor)
    $acl = Get-Acl -LiteralPath $Path
    $acl.SetSecurityDescriptorSddlForm($Descriptor)
    Set-Acl -LiteralPath $Path -AclObject $acl
}

function Initialize-WorkFolder {
    # Returns the work folder; it and its parts exist and are protected afterwards.
    $folder = Get-WorkFolder
    Initialize-ProtectedFolder $folder
    foreach ($part in 'staging', 'backups', 'installers') { Initialize-ProtectedFolder "$folder\$part" }
    $folder
}

function Assert-WorkPath {
    # The path lies inside the work folder, plainly written, with no link on the way.
    param([string] $Path)
    $root = (Get-WorkFolder) + '\'
    $inside = $Path.StartsWith($root, [StringComparison]::OrdinalIgnoreCase)
    if (-not $inside -or $Path.Length -eq $root.Length) { throw (New-Failure invalid_input "$Path is not inside $root") }
    $parts = $Path.Substring($root.Length).Split('\')
    foreach ($part in $parts) {
        if ($part -eq '' -or $part -match '^\.+$|[/:*?"<>|]|[\x00-\x1f]|[. ]$') { throw (New-Failure invalid_input "$Path is not written plainly: '$part' is not a name") }
    }
    $walked = $root.TrimEnd('\')
    foreach ($part in $parts) {
        $walked = "$walked\$part"
        if (-not (Test-Path -LiteralPath $walked)) { break }
        if (Test-ReparsePoint $walked) { throw (New-Failure precondition "$walked is a link or a junction, which nothing of this provider made. Remove it") }
    }
}

function Assert-PlainName {
    # One name that may become a folder, a file or a task.
    param([string] $Name, [string] $What)
    if ($Name -notmatch '^[A-Za-z0-9][A-Za-z0-9 ._-]{0,126}$' -or $Name -match '[. ]$') { throw (New-Failure invalid_input "'$Name' is not usable as a name of the $What`: letters, digits, dots, underscores, dashes and inner spaces are accepted") }
}

# ---- Backups ----

function Get-BackupFolder {
    # The complete copies of a name in the backups of an id: the open one first, then the closed ones, newest first.
    param([string] $BackupId, [string] $Name)
    Assert-PlainName $BackupId 'backup'
    Assert-PlainName $Name 'backup'
    $backups = (Get-WorkFolder) + '\backups'
    if (-not (Test-Path -LiteralPath $backups)) { return }
    $closed = @(Get-ClosedBackup $BackupId)
    [Array]::Reverse($closed)
    foreach ($folder in @($BackupId) + $closed) {
        if (Test-Path -LiteralPath "$backups\$folder\$Name.manifest.json") { "$backups\$folder\$Name" }
    }
}

function Get-ClosedBackup {
    # Folder names, oldest first.
    param([string] $BackupId)
    $pattern = '^' + [regex]::Escape($BackupId) + '-\d{8}T\d{6}Z$'
    $names = @(Get-ChildItem -LiteralPath ((Get-WorkFolder) + '\backups') -Directory -Force | Where-Object { $_.Name -match $pattern } | ForEach-Object { $_.Name })
    Get-SortedName $names
}

function Get-StampedPath {
    # The path with the time in its name, free to be used. One second is the finest that the name can tell.
    param([string] $Path)
    $time = [datetime]::UtcNow
    do {
        $stamped = '{0}-{1}' -f $Path, $time.ToString('yyyyMMddTHHmmssZ', [System.Globalization.CultureInfo]::InvariantCulture)
        $time = $time.AddSeconds(1)
    } while (Test-Path -LiteralPath $stamped)
    $stamped
}

# ---- Registry, services, installed products ----

function Get-RegistryValue {
    # Null when the key or the value is absent; a key that cannot be read is an error.
    param([string] $Key, [string] $Name)
    if (-not (Test-Path -LiteralPath $Key)) { return $null }
    # One value alone: Get-ItemProperty reads them all and fails at a damaged one, which uninstall entries are known for.
    , (Get-Item -LiteralPath $Key).GetValue($Name)
}

function Get-TokenGroup {
    # The groups of this logon with their SIDs, as one text: names differ with the language of Windows.
    @(whoami.exe /groups /fo csv /nh) -join "`n"
}

function Test-Administrator {
    # In the group and not filtered: a filtered token has the group for denials only, and a medium integrity label.
    $groups = Get-TokenGroup
    $groups -match '\bS-1-5-32-544\b' -and $groups -match '\bS-1-16-(12288|16384)\b'
}

function Get-HostService {
    # The Win32_Service of a name, or nothing.
    param([string] $Name)
    Get-CimInstance -ClassName Win32_Service -Filter "Name='$Name'"
}

function Get-ServiceStart {
    # When the service's process started (UTC text), or null when it does not run.
    param([string] $Name)
    $service = Get-HostService $Name
    if ($null -eq $service -or $service.State -ne 'Running') { return $null }
    $process = Get-CimInstance -ClassName Win32_Process -Filter "ProcessId=$($service.ProcessId)"
    if ($null -eq $process) { return $null }
    Format-Utc $process.CreationDate
}

function Get-OwnTask {
    # The scheduled tasks of this provider in one of its folders. None is no error; anything else that goes wrong is.
    param([string] $Folder = $installerTasks)
    $problems = $null
    Get-ScheduledTask -TaskPath $Folder -ErrorAction SilentlyContinue -ErrorVariable problems
    Assert-OnlyAbsence $problems
}

function Assert-TaskScheduler {
    if (Get-Command -Name Register-ScheduledTask -ErrorAction SilentlyContinue) { return }
    throw (New-Failure precondition 'the PowerShell module ScheduledTasks is missing; it comes with Windows Server 2012 and later')
}

function Register-OwnTask {
    # A task under SYSTEM that runs a script; one of the same name is replaced. Without a trigger it waits to be started.
    param([string] $Folder, [string] $Name, [string] $Script, [int] $LimitMinutes, $Trigger)
    $task = @{
        TaskPath = $Folder
        TaskName = $Name
        Action = New-ScheduledTaskAction -Execute 'powershell.exe' -Argument "-NoProfile -NonInteractive -ExecutionPolicy Bypass -File `"$Script`""
        Principal = New-ScheduledTaskPrincipal -UserId 'SYSTEM' -LogonType ServiceAccount -RunLevel Highest
        Settings = New-ScheduledTaskSettingsSet -ExecutionTimeLimit (New-TimeSpan -Minutes $LimitMinutes) -AllowStartIfOnBatteries -DontStopIfGoingOnBatteries -MultipleInstances IgnoreNew
        Force = $true
    }
    if ($null -ne $Trigger) { $task['Trigger'] = $Trigger }
    [void](Register-ScheduledTask @task)
}

function Assert-OnlyAbsence {
    # For queries to which "none" is an error: that one is let pass, any other is thrown.
    param([object[]] $Problem)
    foreach ($one in @($Problem)) {
        if ($null -ne $one -and [string]$one.CategoryInfo.Category -ne 'ObjectNotFound') { throw $one }
    }
}

# ---- AD FS ----

function Get-AdfsDatabase {
    # The Windows Internal Database on each server, or one SQL Server for all. AD FS itself answers, so while it stands
    # still the presence of the internal database's service must do.
    if ((Get-HostService 'adfssrv').State -ne 'Running') {
        if (Get-HostService 'MSSQL$MICROSOFT##WID') { return 'wid' } else { return 'sql' }
    }
    $tokens = Get-CimInstance -Namespace root/ADFS -ClassName SecurityTokenService
    if ([string]$tokens.ConfigurationDatabaseConnectionString -match 'microsoft##wid|##ssee') { 'wid' } else { 'sql' }
}

function Assert-AdfsPrimary {
    # Only the primary of a WID farm, or any server of a SQL farm, can change the configuration.
    $synchronization = Get-AdfsSyncProperties
    if ([string]$synchronization.Role -ne 'SecondaryComputer') { return }
    throw (New-Failure precondition "this server is a secondary of its AD FS farm; the configuration is changed on the primary, $($synchronization.PrimaryComputerName)")
}

function Find-AdfsProvider {
    # The registered provider of a name in any casing, or nothing.
    param([string] $Name)
    Get-AdfsAuthenticationProvider | Where-Object { $_.Name -eq $Name }
}

function Get-AdfsPolicyName {
    # The names in the global additional authentication policy. Wrap the call in @().
    foreach ($name in (Get-AdfsGlobalAuthenticationPolicy).AdditionalAuthenticationProvider) { [string]$name }
}

function Get-ConstantText {
    # The text of a constant, or of a variable that the script gave a constant once; null for anything else.
    param($Node, $Tree)
    if ($Node -is [System.Management.Automation.Language.CommandExpressionAst]) { $Node = $Node.Expression }
    if ($Node -is [System.Management.Automation.Language.StringConstantExpressionAst]) { return $Node.Value }
    if ($Node -isnot [System.Management.Automation.Language.VariableExpressionAst]) { return $null }
    $name = $Node.VariablePath.UserPath
    $assigned = @($Tree.FindAll({ param($part) $part -is [System.Management.Automation.Language.AssignmentStatementAst] }, $true) |
            Where-Object { $_.Left -is [System.Management.Automation.Language.VariableExpressionAst] -and $_.Left.VariablePath.UserPath -eq $name })
    if ($assigned.Count -ne 1 -or $assigned[0].Right -isnot [System.Management.Automation.Language.CommandExpressionAst]) { return $null }
    $value = $assigned[0].Right.Expression
    if ($value -is [System.Management.Automation.Language.StringConstantExpressionAst]) { $value.Value }
}

function Get-Registration {
    # What the vendor's script would register: TypeName and Name. It is read as a syntax tree and never run.
    param([string] $Path)
    $tokens = $problems = $null
    $tree = [System.Management.Automation.Language.Parser]::ParseFile((Resolve-NativePath $Path), [ref]$tokens, [ref]$problems)
    $calls = @($tree.FindAll({ param($part) $part -is [System.Management.Automation.Language.CommandAst] }, $true) | Where-Object { $_.GetCommandName() -eq 'Register-AdfsAuthenticationProvider' })
    if ($problems.Count -or $calls.Count -ne 1) { throw (New-Failure invalid_input "$Path is not the vendor's registration script: one call of Register-AdfsAuthenticationProvider was expected") }
    $registration = @{}
    $elements = @($calls[0].CommandElements)
    for ($i = 1; $i -lt $elements.Count; $i++) {
        $parameter = $elements[$i]
        if ($parameter -isnot [System.Management.Automation.Language.CommandParameterAst]) { continue }
        $value = $parameter.Argument
        if ($null -eq $value -and $i + 1 -lt $elements.Count) { $value = $elements[$i + 1] }
        $registration[$parameter.ParameterName] = Get-ConstantText $value $tree
    }
    foreach ($name in 'TypeName', 'Name') {
        if (-not $registration[$name]) { throw (New-Failure invalid_input "$Path has no plain -$name in its call of Register-AdfsAuthenticationProvider") }
    }
    $registration
}

function Get-GuardTask {
    # The guard of the second factor. Wrap the call in @().
    Get-OwnTask $guardTasks | Where-Object { $_.TaskName -eq $guardTask }
}

function Read-GuardRecord {
    # What the guard of the second factor did last, or null.
    $path = (Get-WorkFolder) + '\guard\acted.json'
    if (-not (Test-Path -LiteralPath $path)) { return $null }
    $record = ConvertFrom-JsonText ([System.IO.File]::ReadAllText((Resolve-NativePath $path)))
    [ordered]@{
        acted_at = [string]$record.acted_at
        direction = $record.direction
        provider_names = @($record.provider_names | ForEach-Object { [string]$_ })
        problem = [string]$record.problem
    }
}

# ---- XML and web.config: values in them are secrets, so no message may quote them ----

function Read-XmlFile {
    param([string] $Path)
    if (-not (Test-Path -LiteralPath $Path -PathType Leaf)) { throw (New-Failure not_found "$Path does not exist") }
    $document = New-Object System.Xml.XmlDocument
    $document.PreserveWhitespace = $true
    $document.XmlResolver = $null
    try { $document.Load((Resolve-NativePath $Path)) }
    catch [System.Xml.XmlException] {
        # Its message may quote the text at the fault, which may be part of a password.
        throw (New-Failure precondition "$Path is no well-formed XML at line $($_.Exception.LineNumber), position $($_.Exception.LinePosition) (a password with an unescaped & is a known cause)")
    }
    $document
}

function Save-XmlFile {
    # Keeps what the file before it had: line ends and byte order mark.
    param([System.Xml.XmlDocument] $Document, [string] $Path, [string] $Like)
    $bytes = [System.IO.File]::ReadAllBytes((Resolve-NativePath $Like))
    $settings = New-Object System.Xml.XmlWriterSettings
    $settings.Encoding = New-Object System.Text.UTF8Encoding ($bytes.Length -ge 3 -and $bytes[0] -eq 0xef -and $bytes[1] -eq 0xbb)
    $settings.NewLineHandling = [System.Xml.NewLineHandling]::Replace
    $settings.NewLineChars = if ([Array]::IndexOf($bytes, [byte]13) -ge 0) { "`r`n" } else { "`n" }
    $settings.OmitXmlDeclaration = -not ($Document.FirstChild -is [System.Xml.XmlDeclaration])
    $native = Resolve-NativePath $Path
    try {
        $writer = [System.Xml.XmlWriter]::Create("$native.new", $settings)
        try { $Document.Save($writer) } finally { $writer.Close() }
        Move-WholeFile -Source "$native.new" -Destination $native
    }
    # It holds passwords, and may lie in a folder that a web server serves. No error when it is not there.
    finally { [System.IO.File]::Delete("$native.new") }
}

function Get-LeafNode {
    # The elements that hold values in an adapter configuration; its outer form is not documented.
    param([System.Xml.XmlDocument] $Document)
    $Document.DocumentElement.SelectNodes('.//*[not(*)]')
}

function Get-ConfigurationEntry {
    # The appSettings and applicationSettings of a web.config: Kind, Key and the node that holds the value.
    param([System.Xml.XmlDocument] $Document, [string] $Path)
    foreach ($section in 'appSettings', 'applicationSettings') {
        if ($Document.SelectSingleNode("/configuration/$section//*[local-name()='EncryptedData']")) {
            throw (New-Failure precondition "$section in $Path is encrypted. Decrypt it with aspnet_regiis -pdf, or carry the values over by hand")
        }
    }
    foreach ($node in $Document.SelectNodes('/configuration/appSettings/add[@key]')) {
        New-Object PSObject -Property @{ Kind = 'appSettings'; Key = $node.GetAttribute('key'); Node = $node.GetAttributeNode('value') }
    }
    foreach ($node in $Document.SelectNodes('/configuration/applicationSettings/*/setting[@name]')) {
        New-Object PSObject -Property @{ Kind = $node.ParentNode.LocalName; Key = $node.GetAttribute('name'); Node = $node.SelectSingleNode('value') }
    }
}

function Get-EntryValue {
    # PowerShell cannot read InnerText of an attribute: XmlAttribute overrides the setter alone.
    param($Entry)
    if ($Entry.Node.NodeType -eq [System.Xml.XmlNodeType]::Attribute) { $Entry.Node.Value.Trim() } else { $Entry.Node.InnerText.Trim() }
}

function Get-WebServiceSdkEntry {
    # The entry that holds the address of the Web Service SDK; the vendor prints its prefix in two ways.
    param([object[]] $Entry)
    $Entry | Where-Object { $_.Key -match '_pfwssdk_PfWsSdk$' -and $null -ne $_.Node } | Select-Object -First 1
}

function Get-PlaceholderKey {
    # Keys that still hold what the vendor ships. A portal beside its server that does not use the SDK is right to have it.
    param([object[]] $Entry)
    $shipped = 'http://localhost:4898/PfWsSdk.asmx', 'https://www.contoso.com/MultiFactorAuthWebServiceSdk/PfWsSdk.asmx'
    $address = Get-WebServiceSdkEntry $Entry
    if ($null -eq $address -or (Get-EntryValue $address) -notin $shipped) { return }
    $use = $Entry | Where-Object { $_.Key -eq 'USE_WEB_SERVICE_SDK' -and $null -ne $_.Node } | Select-Object -First 1
    $unused = $null -ne $use -and (Get-EntryValue $use) -ne 'true'
    if ($unused -and (Get-HostService 'MultiFactorAuth')) { return }
    $address.Key
}

# ---- The call ----

try {
    $parameters = ConvertFrom-ArgumentText $ArgumentText
    $output = @(& ([ScriptBlock]::Create($ScriptText)) @parameters)
    if ($output.Count -ne 1 -or $output[0] -isnot [System.Collections.IDictionary]) { throw "$ScriptName returned $($output.Count) objects instead of one result" }
    Write-Reply ([ordered]@{ ok = $true; script = $ScriptName; result = $output[0] })
}
catch {
    $kind = Get-FailureKind $_
    $line = if ($_.ScriptStackTrace -match 'line (\d+)') { [int]$Matches[1] } else { $null }
    # Names of functions and numbers of lines, no values.
    if ($kind -eq 'other') { Write-HostLog -Level debug -Message $_.ScriptStackTrace }
    $problem = [ordered]@{ kind = $kind; message = $_.Exception.Message; line = $line }
    Write-Reply ([ordered]@{ ok = $false; script = $ScriptName; error = $problem })
}
