# The state of the simulated host, and the commands of Windows that read and write it.
# Every function takes only what the provider's scripts give it and throws on anything else.
$ErrorActionPreference = 'Stop'

# ---- State and journal ----

function Read-LabState {
    ConvertFrom-Json -InputObject ([System.IO.File]::ReadAllText([AzureMfaLab.Files]::StatePath)) -AsHashtable -DateKind String
}

function Update-LabState {
    # Runs the change on the state under its lock and writes what it left. Returns what the change returned.
    param([scriptblock] $Change)
    $lock = [AzureMfaLab.Files]::Lock([AzureMfaLab.Files]::StateLock)
    try {
        $state = Read-LabState
        & $Change $state
        [AzureMfaLab.Files]::Replace([AzureMfaLab.Files]::StatePath, (ConvertTo-Json -InputObject $state -Depth 32))
    }
    finally { $lock.Dispose() }
}

function Add-LabJournal {
    param([string] $What, $Detail)
    [AzureMfaLab.Files]::Journal((Read-LabState)['name'], $What, (ConvertTo-Json -InputObject $Detail -Depth 8 -Compress))
}

function Add-LabFileWork {
    # The journal of work that is done with files alone, told from what was asked and answered.
    param([string] $ScriptName, [string] $ArgumentText, [string] $ReplyText)
    $reply = ConvertFrom-Json -InputObject $ReplyText -AsHashtable -DateKind String
    if (-not $reply['ok']) { return }
    $given = ConvertFrom-Json -InputObject $ArgumentText -AsHashtable -DateKind String
    $result = $reply['result']
    if ($result['already'] -or $result['outcome'] -eq 'unchanged' -or $result['removed'] -eq $false) { return }
    switch ($ScriptName) {
        'Backup-Directory' { Add-LabJournal backup_directory ([ordered]@{ source = $given['source']; backup_id = $given['backup_id']; name = $given['name']; files = $result['files']; bytes = $result['bytes'] }) }
        'Complete-Backup' { Add-LabJournal complete_backup ([ordered]@{ backup_id = $given['backup_id']; path = $result['path'] }) }
        'Save-ReleaseFile' { Add-LabJournal download ([ordered]@{ url = ([uri]$given['url']).GetLeftPart([System.UriPartial]::Path); path = $result['path'] }) }
        { $_ -in 'Receive-File', 'Complete-PartialFile' } { Add-LabJournal receive_file ([ordered]@{ path = $given['path']; length = $result['length']; sha256 = $result['sha256'] }) }
        'Merge-WebConfig' { Add-LabJournal web_config ([ordered]@{ path = $given['path']; outcome = $result['outcome'] }) }
        'Export-AdapterConfiguration' { Add-LabJournal adapter_export ([ordered]@{ provider_name = $given['provider_name']; path = $result['path'] }) }
        'Merge-AdapterConfiguration' { Add-LabJournal adapter_merge ([ordered]@{ output_path = $given['output_path'] }) }
        'Remove-WorkFile' { Add-LabJournal remove_work_file ([ordered]@{ path = $given['path'] }) }
    }
}

function Resolve-LabPath {
    # The real file of a path on drive C:.
    param([string] $Path)
    if ($Path -notmatch '^[Cc]:[\\/]') { throw "the simulated host has drive C: only: $Path" }
    [AzureMfaLab.Files]::HostFolder + '/C/' + $Path.Substring(3).Replace('\', '/')
}

function ConvertFrom-LabTime {
    param([string] $Text)
    [datetime]::Parse($Text, [System.Globalization.CultureInfo]::InvariantCulture, [System.Globalization.DateTimeStyles]::RoundtripKind)
}

function Get-LabNow { [datetime]::UtcNow.ToString('yyyy-MM-ddTHH:mm:ssZ', [System.Globalization.CultureInfo]::InvariantCulture) }

function Get-LabService {
    # IIS's service is there when the host has IIS, that of the internal database when it is in a farm on it.
    param([string] $Name)
    $state = Read-LabState
    $services = $state['services']
    foreach ($key in $services.Keys) { if ($key -eq $Name) { return [pscustomobject]@{ Name = $key; Value = $services[$key] } } }
    if ($Name -eq 'W3SVC' -and $state['iis']) { [pscustomobject]@{ Name = 'W3SVC'; Value = @{ display_name = 'World Wide Web Publishing Service'; state = 'Running'; start_mode = 'Auto'; process_id = 900; path_name = 'C:\Windows\system32\svchost.exe -k iissvcs'; account = 'LocalSystem' } } }
    if ($Name -eq 'MSSQL$MICROSOFT##WID' -and $state['adfs'] -and (Read-LabDatabase $state) -eq 'wid') { [pscustomobject]@{ Name = $Name; Value = @{ display_name = 'Windows Internal Database'; state = 'Running'; start_mode = 'Auto'; process_id = 904; path_name = 'C:\Windows\WID\Binn\sqlservr.exe'; account = 'LocalSystem' } } }
}

function Read-LabDatabase {
    param($State)
    (ConvertFrom-Json -InputObject ([System.IO.File]::ReadAllText("$([AzureMfaLab.Files]::Estate)/farms/$($State['adfs']['farm']).json")) -AsHashtable -DateKind String)['database']
}

# ---- CIM ----

function Get-CimInstance {
    [CmdletBinding()]
    param(
        [Parameter(Mandatory = $true)] [string] $ClassName,
        [string] $Namespace,
        [string] $Filter
    )
    if ($Namespace -eq 'root/ADFS' -and $ClassName -eq 'SecurityTokenService' -and -not $Filter) { return Get-LabTokenService }
    if ($Namespace) { throw "the simulated host has no $Namespace" }
    switch -Regex ("$ClassName|$Filter") {
        '^Win32_OperatingSystem\|$' {
            $state = Read-LabState
            $system = $state['operating_system']
            $ahead = if ($null -ne $state['clock_ahead']) { $state['clock_ahead'] } else { 0 }
            return [pscustomobject]@{ Caption = $system['caption']; Version = $system['version']; LastBootUpTime = ConvertFrom-LabTime $system['last_boot']; LocalDateTime = [datetime]::Now.AddSeconds($ahead) }
        }
        '^Win32_ComputerSystem\|$' { return [pscustomobject]@{ Domain = (Read-LabState)['domain']; DomainRole = [uint16](Read-LabSecondHop)['domain_role'] } }
        '^Win32_LogicalDisk\|DeviceID=''C:''$' {
            $drive = (Read-LabState)['system_drive']
            if ($null -eq $drive) { $drive = @{ size = 64424509440; free = 42949672960 } }
            return [pscustomobject]@{ DeviceID = 'C:'; Size = [uint64]$drive['size']; FreeSpace = [uint64]$drive['free'] }
        }
        '^Win32_Service\|Name=''([^'']+)''$' {
            $found = Get-LabService $Matches[1]
            if ($null -eq $found) { return }
            $service = $found.Value
            return [pscustomobject]@{ Name = $found.Name; DisplayName = $service['display_name']; State = $service['state']; StartMode = $service['start_mode']; PathName = $service['path_name']; StartName = $service['account']; ProcessId = [uint32]$(if ($service['process_id']) { $service['process_id'] } else { 0 }) }
        }
        '^Win32_Process\|ProcessId=(\d+)$' {
            $id = [long]$Matches[1]
            foreach ($service in (Read-LabState)['services'].Values) {
                if ($service['process_id'] -eq $id -and $service['state'] -eq 'Running') { return [pscustomobject]@{ ProcessId = [uint32]$id; CreationDate = (ConvertFrom-LabTime $service['started_at']).ToLocalTime() } }
            }
            return
        }
    }
    throw "the simulated host does not know this query: $ClassName, filter '$Filter'"
}

function Read-LabSecondHop {
    # What the state leaves out is as it is for most: a member server, and a network logon of the domain that goes no further.
    $hop = @{ domain_role = 3; network_logon = $true; local_account = $false }
    $given = (Read-LabState)['second_hop']
    if ($given) { foreach ($name in @($hop.Keys)) { if ($null -ne $given[$name]) { $hop[$name] = $given[$name] } } }
    $hop
}

function Get-LabTokenService {
    # AD FS itself provides it, so it is gone with the service.
    $state = Read-LabState
    if (-not $state['adfs'] -or $state['services']['adfssrv']['state'] -ne 'Running') { throw 'Invalid namespace' }
    $source = if ((Read-LabDatabase $state) -eq 'wid') { '\\.\pipe\microsoft##wid\tsql\query' } else { 'sql01.contoso.com' }
    [pscustomobject]@{ ConfigurationDatabaseConnectionString = "Data Source=$source;Initial Catalog=AdfsConfigurationV3;Integrated Security=True" }
}

# ---- WinRM's own settings ----

function Get-WSManInstance {
    # An XML element, as of WinRM; what it does not tell is not in it.
    [CmdletBinding()]
    param([Parameter(Mandatory = $true)] [uri] $ResourceURI)
    $quotas = (Read-LabState)['winrm_quotas']
    if ($null -eq $quotas) { $quotas = @{ max_memory_per_shell_mb = 1024; max_shells_per_user = 30; max_processes_per_shell = 25; max_concurrent_users = 10; max_concurrent_operations_per_user = 1500; max_envelope_size_kb = 500 } }
    switch ([string]$ResourceURI) {
        'winrm/config/winrs' { $names = [ordered]@{ MaxMemoryPerShellMB = 'max_memory_per_shell_mb'; MaxShellsPerUser = 'max_shells_per_user'; MaxProcessesPerShell = 'max_processes_per_shell'; MaxConcurrentUsers = 'max_concurrent_users' } }
        'winrm/config/service' { $names = [ordered]@{ MaxConcurrentOperationsPerUser = 'max_concurrent_operations_per_user' } }
        'winrm/config' { $names = [ordered]@{ MaxEnvelopeSizekb = 'max_envelope_size_kb' } }
        default { throw "the simulated host's WinRM has no $ResourceURI" }
    }
    $elements = foreach ($name in $names.Keys) { if ($null -ne $quotas[$names[$name]]) { "<cfg:$name>$($quotas[$names[$name]])</cfg:$name>" } }
    ([xml]"<cfg:Settings xmlns:cfg=`"http://schemas.microsoft.com/wbem/wsman/1/config`">$(@($elements) -join '')</cfg:Settings>").DocumentElement
}

# ---- Services, network, events, account ----

function Restart-Service {
    [CmdletBinding()]
    param(
        [Parameter(Mandatory = $true)] [string] $Name,
        [Parameter(Mandatory = $true)] [switch] $Force
    )
    if ($Name -ne 'adfssrv') { throw "no script restarts $Name" }
    if ($null -eq (Get-LabService $Name)) { throw "Cannot find any service with service name '$Name'." }
    $problems = @(Get-LabLoadProblem)
    Update-LabState {
        param($state)
        $service = $state['services'][$Name]
        $service['state'] = 'Running'
        $service['process_id'] = [int]$service['process_id'] + 4
        $service['started_at'] = Get-LabNow
        foreach ($problem in $problems) {
            # AD FS says it once for each of its pipelines.
            foreach ($pipeline in 1..4) { $state['events'] = @($state['events']) + @(@{ log = 'AD FS/Admin'; id = 105; time = Get-LabNow; message = $problem }) }
        }
    }
    Add-LabJournal service_restart ([ordered]@{ service = $Name })
}

function Get-LabLoadProblem {
    # The registered providers whose assembly is not on this host.
    $adfs = (Read-LabState)['adfs']
    if (-not $adfs) { return }
    $farm = ConvertFrom-Json -InputObject ([System.IO.File]::ReadAllText("$([AzureMfaLab.Files]::Estate)/farms/$($adfs['farm']).json")) -AsHashtable -DateKind String
    $providers = @($farm['providers'])
    if ($farm['database'] -eq 'wid' -and $adfs['role'] -eq 'SecondaryComputer') { $providers = @(Get-LabSynchronizedProvider $farm) }
    foreach ($provider in @($providers | Where-Object { $_ })) {
        $assembly = ($provider['type_name'] -split ',\s*', 2)[1]
        if (-not (Test-LabAssembly $assembly)) { "An error occurred loading an authentication provider. Identifier: $($provider['name']). Could not load file or assembly '$assembly' or one of its dependencies." }
    }
}

function Get-LabSynchronizedProvider {
    # What a secondary knows: the providers of its last synchronisation, which comes after the change itself.
    param($Farm)
    $poll = [long]$Farm['poll_seconds'] * [TimeSpan]::TicksPerSecond
    $ticks = [datetime]::UtcNow.Ticks
    $last = (New-Object datetime ($ticks - $ticks % $poll)).ToString('yyyy-MM-ddTHH:mm:ssZ', [System.Globalization.CultureInfo]::InvariantCulture)
    $history = @(@($Farm['history']) | Where-Object { $_ })
    if ([string]::CompareOrdinal($Farm['changed_at'], $last) -lt 0 -or -not $history.Count) { return $Farm['providers'] }
    $known = @($history | Where-Object { [string]::CompareOrdinal($_['changed_at'], $last) -lt 0 })
    if ($known.Count) { $known[-1]['providers'] } else { $history[0]['providers'] }
}

function Test-LabAssembly {
    # Whether an assembly of this full name is on the host, where AD FS would find it.
    param([string] $FullName)
    $state = Read-LabState
    $folders = @('C:\Program Files\Multi-Factor Authentication Server')
    foreach ($key in @($state['registry'].Keys)) {
        if ($key -like '*\Positive Networks\PhoneFactor') { $folders += ([string]$state['registry'][$key]['InstallPath']).TrimEnd('\') }
        if ($key -like '*\Uninstall\*' -and $state['registry'][$key]['InstallLocation']) { $folders += ([string]$state['registry'][$key]['InstallLocation']).TrimEnd('\') }
    }
    $cache = Resolve-LabPath 'C:\Windows\Microsoft.NET\assembly\GAC_MSIL\MultiFactorAuthAdfsAdapter'
    $files = @($folders | Where-Object { $_ } | ForEach-Object { Resolve-LabPath "$_\MultiFactorAuthAdfsAdapter.dll" })
    if ([System.IO.Directory]::Exists($cache)) { $files += [System.IO.Directory]::GetFiles($cache, '*.dll', 'AllDirectories') }
    foreach ($file in $files) {
        if ([System.IO.File]::Exists($file) -and [System.Reflection.AssemblyName]::GetAssemblyName($file).FullName -eq $FullName) { return $true }
    }
    $false
}

function Get-NetTCPConnection {
    [CmdletBinding()]
    param([Parameter(Mandatory = $true)] [string] $State)
    foreach ($connection in @((Read-LabState)['connections'])) {
        if ($connection -and $connection['state'] -eq $State) {
            [pscustomobject]@{ LocalAddress = $connection['local_address']; LocalPort = [uint16]$connection['local_port']; RemoteAddress = $connection['remote_address']; RemotePort = [uint16]$connection['remote_port']; State = $connection['state']; OwningProcess = [uint32]$connection['process_id'] }
        }
    }
}

function Get-WinEvent {
    [CmdletBinding()]
    param([Parameter(Mandatory = $true)] [hashtable] $FilterHashtable)
    if (($FilterHashtable.Keys | Sort-Object) -join ' ' -ne 'Id LogName StartTime') { throw "unexpected filter: $($FilterHashtable.Keys)" }
    $since = $FilterHashtable['StartTime'].ToUniversalTime()
    $found = @(@((Read-LabState)['events']) | Where-Object { $_ -and $_['log'] -eq $FilterHashtable['LogName'] -and $_['id'] -eq $FilterHashtable['Id'] -and (ConvertFrom-LabTime $_['time']).ToUniversalTime() -ge $since })
    if (-not $found.Count) {
        $none = New-Object System.Management.Automation.ErrorRecord (New-Object System.Exception 'No events were found that match the specified selection criteria.'), 'NoMatchingEventsFound', ObjectNotFound, $null
        $PSCmdlet.WriteError($none)
        return
    }
    foreach ($event in $found) { [pscustomobject]@{ Id = $event['id']; LogName = $event['log']; TimeCreated = (ConvertFrom-LabTime $event['time']).ToLocalTime(); Message = $event['message'] } }
}

function whoami.exe {
    if (($args -join ' ') -ne '/groups /fo csv /nh') { throw "unexpected arguments of whoami: $args" }
    $administrator = (Read-LabState)['administrator']
    $hop = Read-LabSecondHop
    '"Everyone","Well-known group","S-1-1-0","Mandatory group, Enabled by default, Enabled group"'
    '"CONTOSO\Operators","Group","S-1-5-21-1004336348-1177238915-682003330-1113","Mandatory group, Enabled by default, Enabled group"'
    if ($hop['network_logon']) { '"NT AUTHORITY\NETWORK","Well-known group","S-1-5-2","Mandatory group, Enabled by default, Enabled group"' }
    if ($hop['local_account']) { '"NT AUTHORITY\Local account","Well-known group","S-1-5-113","Mandatory group, Enabled by default, Enabled group"' }
    if ($administrator) { '"BUILTIN\Administrators","Alias","S-1-5-32-544","Mandatory group, Enabled by default, Enabled group, Group owner"' }
    else { '"BUILTIN\Administrators","Alias","S-1-5-32-544","Group used for deny only"' }
    if ($administrator) { '"Mandatory Label\High Mandatory Level","Label","S-1-16-12288",""' } else { '"Mandatory Label\Medium Mandatory Level","Label","S-1-16-8192",""' }
}

# ---- Access lists ----

function Get-Acl {
    [CmdletBinding()]
    param([Parameter(Mandatory = $true)] [string] $LiteralPath)
    if (-not (Test-Path -LiteralPath $LiteralPath)) { throw (New-Object System.Management.Automation.ItemNotFoundException "Cannot find path '$LiteralPath' because it does not exist.") }
    $known = (Read-LabState)['acls']
    # What a folder in %ProgramData% gets when an administrator makes it.
    $sddl = if ($known -and $known[$LiteralPath]) { $known[$LiteralPath] } else { 'O:BAG:DUD:AI(A;OICIID;FA;;;SY)(A;OICIID;FA;;;BA)(A;OICIID;0x1200a9;;;BU)' }
    $acl = [pscustomobject]@{ Sddl = $sddl }
    Add-Member -InputObject $acl -MemberType ScriptMethod -Name SetSecurityDescriptorSddlForm -Value { param([string] $sddl) $this.Sddl = $sddl }
    $acl
}

function Set-Acl {
    [CmdletBinding()]
    param(
        [Parameter(Mandatory = $true)] [string] $LiteralPath,
        [Parameter(Mandatory = $true)] $AclObject
    )
    if (-not (Test-Path -LiteralPath $LiteralPath)) { throw (New-Object System.Management.Automation.ItemNotFoundException "Cannot find path '$LiteralPath' because it does not exist.") }
    Update-LabState {
        param($state)
        if (-not $state['acls']) { $state['acls'] = [ordered]@{} }
        $state['acls'][$LiteralPath] = $AclObject.Sddl
    }
}

# ---- Programs and downloads ----

function Split-LabCommandLine {
    # Words of a Windows command line: quotes group and are dropped, two inside quotes are one.
    param([string] $Text)
    $words = New-Object System.Collections.Generic.List[string]
    foreach ($match in [regex]::Matches($Text, '(?:[^\s"]|"(?:[^"]|"")*")+')) { $words.Add(($match.Value -replace '""', "`0" -replace '"', '' -replace "`0", '"')) }
    , $words.ToArray()
}

function Start-Process {
    # Only installers are started; the lab's own program plays them and changes the host.
    [CmdletBinding()]
    param(
        [Parameter(Mandatory = $true)] [string] $FilePath,
        [string] $ArgumentList,
        [Parameter(Mandatory = $true)] [switch] $PassThru
    )
    if (-not $env:AZUREMFA_LAB_BINARY) { throw 'AZUREMFA_LAB_BINARY is not set, so no installer can be played' }
    [string[]]$words = Split-LabCommandLine $ArgumentList
    $file = $FilePath
    if ($FilePath -eq 'msiexec.exe') {
        if ($words.Count -lt 2 -or $words[0] -ne '/i') { throw "msiexec was not asked to install: $ArgumentList" }
        $file = $words[1]
        $words = @($words | Select-Object -Skip 2)
    }
    elseif (-not (Test-Path -LiteralPath $FilePath -PathType Leaf)) { throw 'This command cannot be run due to the error: The system cannot find the file specified.' }
    $start = New-Object System.Diagnostics.ProcessStartInfo $env:AZUREMFA_LAB_BINARY
    $start.UseShellExecute = $false
    foreach ($word in @('install', '--host-folder', [AzureMfaLab.Files]::HostFolder, '--file', $file, '--') + @($words)) { if ($null -ne $word) { $start.ArgumentList.Add($word) } }
    # A process of this system ends with 8 bits; the whole number comes in a file.
    $result = [System.IO.Path]::GetTempFileName()
    $start.Environment['AZUREMFA_LAB_EXIT_FILE'] = $result
    $process = [pscustomobject]@{ Process = [System.Diagnostics.Process]::Start($start); Result = $result }
    Add-Member -InputObject $process -MemberType ScriptProperty -Name Id -Value { $this.Process.Id }
    Add-Member -InputObject $process -MemberType ScriptProperty -Name Handle -Value { $this.Process.Handle }
    Add-Member -InputObject $process -MemberType ScriptMethod -Name WaitForExit -Value { param([int] $milliseconds) $this.Process.WaitForExit($milliseconds) }
    Add-Member -InputObject $process -MemberType ScriptProperty -Name ExitCode -Value {
        $text = [System.IO.File]::ReadAllText($this.Result).Trim()
        if ($text) { [int]$text } else { $this.Process.ExitCode }
    }
    $process
}

function taskkill.exe {
    if ($args.Count -ne 4 -or $args[0] -ne '/PID' -or ($args[2..3] -join ' ') -ne '/T /F') { throw "unexpected arguments of taskkill: $args" }
    [System.Diagnostics.Process]::GetProcessById([int]$args[1]).Kill($true)
    "SUCCESS: The process with PID $($args[1]) has been terminated."
}

Export-ModuleMember -Function *
