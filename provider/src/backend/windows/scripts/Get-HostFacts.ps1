#Requires -Version 5.1
<#
.SYNOPSIS
Reads everything the provider wants to know about a host, in one answer.
.DESCRIPTION
Changes nothing. Null means that a thing is absent; what cannot be read ends the script, so that it never looks absent.
Two pieces of evidence stand side by side for each version (uninstall entry and file), and are not weighed here.
Runs inside _Envelope.ps1, which has the functions that the scripts share.
#>
[CmdletBinding()]
param()

$software = 'HKLM:\SOFTWARE'
$software32 = 'HKLM:\SOFTWARE\Wow6432Node'

if ([Environment]::Is64BitOperatingSystem -and -not [Environment]::Is64BitProcess) {
    throw (New-Failure precondition 'this is a 32-bit PowerShell on a 64-bit Windows, which sees another registry; the 64-bit powershell.exe is needed')
}

function Get-PendingRebootReason {
    $current = "$software\Microsoft\Windows\CurrentVersion"
    $servicing = "$current\Component Based Servicing"
    if ((Test-Path -LiteralPath "$servicing\RebootPending") -or (Test-Path -LiteralPath "$servicing\RebootInProgress")) { 'component_based_servicing' }
    $pending = "$current\WindowsUpdate\Services\Pending"
    if ((Test-Path -LiteralPath "$current\WindowsUpdate\Auto Update\RebootRequired") -or
        ((Test-Path -LiteralPath $pending) -and @(Get-ChildItem -LiteralPath $pending).Count)) { 'windows_update' }
    $session = 'HKLM:\SYSTEM\CurrentControlSet\Control\Session Manager'
    $renames = @('PendingFileRenameOperations', 'PendingFileRenameOperations2' | ForEach-Object { Get-RegistryValue $session $_ } | ForEach-Object { $_ } | Where-Object { $_ })
    if ($renames.Count) { 'pending_file_rename' }
    $names = 'HKLM:\SYSTEM\CurrentControlSet\Control\ComputerName'
    if ((Get-RegistryValue "$names\ActiveComputerName" 'ComputerName') -ne (Get-RegistryValue "$names\ComputerName" 'ComputerName')) { 'computer_rename' }
    if (Get-RegistryValue "$software\Microsoft\Updates" 'UpdateExeVolatile') { 'update_exe_volatile' }
}

function Get-VcRedist {
    # The vendor of the package writes to either view, so both are read and the newest counts.
    param([string] $Architecture)
    $best = $null
    foreach ($root in $software, $software32) {
        $key = "$root\Microsoft\VisualStudio\14.0\VC\Runtimes\$Architecture"
        if ((Get-RegistryValue $key 'Installed') -eq 0) { continue }
        $parts = foreach ($name in 'Major', 'Minor', 'Bld') { Get-RegistryValue $key $name }
        if (@($parts | Where-Object { $null -ne $_ }).Count -lt 3) {
            if ([string](Get-RegistryValue $key 'Version') -notmatch '^v?(\d+)\.(\d+)\.(\d+)') { continue }
            $parts = $Matches[1], $Matches[2], $Matches[3]
        }
        $version = New-Object System.Version ([int]$parts[0]), ([int]$parts[1]), ([int]$parts[2])
        if ($null -eq $best -or $version -gt $best) { $best = $version }
    }
    if ($null -ne $best) { $best.ToString(3) }
}

function Get-ProductKind {
    # Which component an uninstall entry is. The vendor's display names changed over the years and are not documented.
    param([string] $DisplayName)
    if ($DisplayName -notmatch 'PhoneFactor|Multi-?Factor Auth') { return }
    if ($DisplayName -match 'AD ?FS') { return 'adfs_adapter' }
    if ($DisplayName -match 'Web Service SDK') { return 'web_service_sdk' }
    if ($DisplayName -match 'Mobile App|Phone App') { return 'mobile_app_web_service' }
    if ($DisplayName -match 'User Portal') { return 'user_portal' }
    if ($DisplayName -match 'PhoneFactor Agent|Multi-?Factor Authentication Server') { return 'server' }
}

function Get-InstalledProduct {
    # The uninstall entries of the components, by kind. Of two entries of one kind the lower version counts.
    $products = @{}
    foreach ($root in $software, $software32) {
        $uninstall = "$root\Microsoft\Windows\CurrentVersion\Uninstall"
        if (-not (Test-Path -LiteralPath $uninstall)) { continue }
        foreach ($key in @(Get-ChildItem -LiteralPath $uninstall)) {
            $path = "$uninstall\$($key.PSChildName)"
            $name = [string](Get-RegistryValue $path 'DisplayName')
            $kind = Get-ProductKind $name
            if (-not $kind) { continue }
            $product = @{ Name = $name; Version = (Get-RegistryValue $path 'DisplayVersion'); Location = [string](Get-RegistryValue $path 'InstallLocation') }
            if ($products.ContainsKey($kind)) {
                Write-HostLog -Level warn -Message "two uninstall entries for one component: $($products[$kind].Name) and $name"
                if (-not (Test-LowerVersion $product.Version $products[$kind].Version)) { continue }
            }
            $products[$kind] = $product
        }
    }
    $products
}

function Test-LowerVersion {
    param([string] $One, [string] $Other)
    $left = $right = $null
    [version]::TryParse($One, [ref]$left) -and [version]::TryParse($Other, [ref]$right) -and $left -lt $right
}

function Get-ProductText {
    # A value of an uninstall entry, or null.
    param($Products, [string] $Kind, [string] $Name)
    if ($Products.ContainsKey($Kind) -and $Products[$Kind][$Name]) { [string]$Products[$Kind][$Name] }
}

function Get-FileVersion {
    # Null when there is no such file or it has no version.
    param([string] $Path)
    if (-not $Path -or -not (Test-Path -LiteralPath $Path -PathType Leaf)) { return $null }
    $information = (Get-Item -LiteralPath $Path -Force).VersionInfo
    if (-not $information.FileVersion) { return $null }
    if ($information.FileVersion.Trim() -match '^\d+(\.\d+){1,3}(?=\s|$)') { return $Matches[0] }
    '{0}.{1}.{2}.{3}' -f $information.FileMajorPart, $information.FileMinorPart, $information.FileBuildPart, $information.FilePrivatePart
}

function Get-ExecutablePath {
    # The program in a service's command line, which may be quoted, and may have arguments.
    param([string] $CommandLine)
    if ($CommandLine -match '^\s*"([^"]+)"' -or $CommandLine -match '^\s*(.+?\.exe)(\s|$)') { $Matches[1] }
}

function Get-RoleEvidence {
    # A subordinate connects to its master's replication port. With dynamic ports nothing can be told.
    param($Service, $Port)
    $evidence = [ordered]@{ outbound = 0; inbound = 0 }
    if ($null -eq $Port -or $null -eq $Service -or $Service.State -ne 'Running') { return $evidence }
    if (Get-Command -Name Get-NetTCPConnection -ErrorAction SilentlyContinue) {
        $problems = $null
        $connections = @(Get-NetTCPConnection -State Established -ErrorAction SilentlyContinue -ErrorVariable problems | Where-Object { $_.OwningProcess -eq $Service.ProcessId })
        Assert-OnlyAbsence $problems
        $evidence.outbound = @($connections | Where-Object { $_.RemotePort -eq $Port }).Count
        $evidence.inbound = @($connections | Where-Object { $_.LocalPort -eq $Port }).Count
        return $evidence
    }
    # Windows Server 2008 R2 has no such cmdlet; the port alone must do.
    $all = @([System.Net.NetworkInformation.IPGlobalProperties]::GetIPGlobalProperties().GetActiveTcpConnections() | Where-Object { $_.State -eq 'Established' })
    $evidence.outbound = @($all | Where-Object { $_.RemoteEndPoint.Port -eq $Port }).Count
    $evidence.inbound = @($all | Where-Object { $_.LocalEndPoint.Port -eq $Port }).Count
    $evidence
}

function Get-InstallPath {
    # From the product's key: the 32-bit view, except on a 32-bit Windows.
    foreach ($root in $software32, $software) {
        $path = [string](Get-RegistryValue "$root\Positive Networks\PhoneFactor" 'InstallPath')
        if ($path) { return $path.TrimEnd('\') + '\' }
    }
}

function Get-ServerFact {
    # The key alone is no server: administrators make it on AD FS servers to get the adapter's logs.
    param($Products)
    $service = Get-HostService 'MultiFactorAuth'
    if ($null -eq $service -and -not $Products.ContainsKey('server')) { return $null }
    $executable = if ($null -ne $service) { Get-ExecutablePath $service.PathName }
    $path = Get-InstallPath
    if (-not $path) { $path = Get-ProductText $Products 'server' 'Location' }
    if (-not $path -and $executable) { $path = $executable.Substring(0, $executable.LastIndexOf('\')) }
    $path = if ($path) { $path.TrimEnd('\') + '\' } else { '' }
    $port = foreach ($root in $software32, $software) { Get-RegistryValue "$root\Positive Networks\PhoneFactor" 'Pfsvc_ncan_ip_tcp_port' }
    $port = $port | Where-Object { $null -ne $_ } | Select-Object -First 1
    $packages = @()
    if ($path -and (Test-Path -LiteralPath $path -PathType Container)) {
        $names = @(Get-ChildItem -LiteralPath $path -File -Force | ForEach-Object { $_.Name })
        $packages = @(Get-SortedName @($names | Where-Object { $_ -match '^MultiFactorAuthentication\w*Setup\w*\.msi$|^(Unr|R)egister-MultiFactorAuthenticationAdfsAdapter\.ps1$|^MultiFactorAuthenticationAdfsAdapter\.config$' }))
    }
    [ordered]@{
        install_path = $path
        data_folder = $path + 'Data'
        data_file_exists = [bool]($path -and (Test-Path -LiteralPath ($path + 'Data\PhoneFactor.pfdata') -PathType Leaf))
        product_version = Get-ProductText $Products 'server' 'Version'
        product_name = Get-ProductText $Products 'server' 'Name'
        file_version = Get-FileVersion $executable
        service_state = if ($null -ne $service) { [string]$service.State } else { $null }
        service_start_mode = if ($null -ne $service) { [string]$service.StartMode } else { $null }
        replication_port = $port
        packages = $packages
        role_evidence = Get-RoleEvidence $service $port
    }
}

function Get-WebKind {
    # A component and the file whose version is its version, or nothing.
    param([string] $Folder)
    if (-not $Folder -or -not (Test-Path -LiteralPath $Folder -PathType Container)) { return }
    $files = @(Get-ChildItem -LiteralPath $Folder -File -Force | ForEach-Object { $_.Name })
    $bin = @(Get-ChildItem -LiteralPath $Folder -Directory -Force | Where-Object { $_.Name -eq 'bin' })
    $assemblies = @($bin | ForEach-Object { Get-ChildItem -LiteralPath "$Folder\$($_.Name)" -File -Force } | Where-Object { $_.Name -like 'pf*.dll' })
    $kind = if ($files -contains 'PfWsSdk.asmx') { 'web_service_sdk', 'PfWsSdk.dll' }
    elseif ($files -contains 'PfPaWs.asmx') { 'mobile_app_web_service', 'PfPaWs.dll' }
    elseif (@($assemblies | Where-Object { $_.Name -eq 'pfup.dll' }).Count) { 'user_portal', 'pfup.dll' }
    if (-not $kind) { return }
    # The names of the web services' files are not documented: when the expected one is absent, the largest of the vendor's stands for it.
    $own = @($assemblies | Where-Object { $_.Name -eq $kind[1] }) + @($assemblies | Sort-Object -Property Length -Descending)
    @{ Kind = $kind[0]; File = $(if ($own.Count) { "$Folder\$($bin[0].Name)\$($own[0].Name)" } else { $null }) }
}

function Get-WebPlace {
    # Every application of every site, the root application of a site included.
    foreach ($site in @(Get-Website | Sort-Object -Property id)) {
        $places = @(@{ Path = ''; Folder = $site.physicalPath; Pool = $site.applicationPool })
        $places += @(Get-WebApplication -Site $site.name | Sort-Object -Property path | ForEach-Object { @{ Path = ([string]$_.path).TrimStart('/'); Folder = $_.PhysicalPath; Pool = $_.applicationPool } })
        foreach ($place in $places) {
            $place.Site = [string]$site.name
            $place.SiteId = [long]$site.id
            $place.Folder = [Environment]::ExpandEnvironmentVariables([string]$place.Folder).TrimEnd('\')
            $place
        }
    }
}

function Get-WebFact {
    param($Products)
    if (-not (Get-HostService 'W3SVC')) { return }
    if (-not (Get-Module -ListAvailable -Name WebAdministration)) {
        throw (New-Failure precondition 'IIS is installed but its PowerShell module WebAdministration is not. Install the feature Web-Scripting-Tools (Install-WindowsFeature Web-Scripting-Tools)')
    }
    Import-Module -Name WebAdministration
    $pools = @{}
    foreach ($pool in @(Get-WebConfiguration -PSPath 'MACHINE/WEBROOT/APPHOST' -Filter '/system.applicationHost/applicationPools/add')) { $pools[[string]$pool.name] = $pool }
    foreach ($place in @(Get-WebPlace)) {
        $kind = Get-WebKind $place.Folder
        if (-not $kind) { continue }
        $configuration = Get-WebConfigFact $place.Folder
        $pool = $pools[[string]$place.Pool]
        if ($null -eq $pool) { throw (New-Failure precondition "the application $($place.Site)/$($place.Path) names an application pool that does not exist: $($place.Pool)") }
        [ordered]@{
            component = $kind.Kind
            site = $place.Site
            site_id = $place.SiteId
            virtual_directory = $place.Path
            physical_path = $place.Folder
            application_pool = [string]$place.Pool
            pool_runtime = [string]$pool.managedRuntimeVersion
            pool_pipeline = [string]$pool.managedPipelineMode
            product_version = Get-ProductText $Products $kind.Kind 'Version'
            file_version = Get-FileVersion $kind.File
            web_config_exists = $configuration.Exists
            placeholders = $configuration.Placeholders
            web_service_sdk_url = $configuration.Address
        }
    }
}

function Get-WebConfigFact {
    param([string] $Folder)
    $name = Get-ChildItem -LiteralPath $Folder -File -Force | Where-Object { $_.Name -eq 'web.config' } | ForEach-Object { $_.Name }
    $fact = @{ Exists = [bool]$name; Placeholders = @(); Address = $null }
    if (-not $name) { return $fact }
    $entries = @(Get-ConfigurationEntry -Document (Read-XmlFile "$Folder\$name") -Path "$Folder\$name")
    $fact.Placeholders = @(Get-PlaceholderKey $entries)
    $address = Get-WebServiceSdkEntry $entries
    if ($null -ne $address) { $fact.Address = Get-EntryValue $address }
    $fact
}

function Get-AdapterFolder {
    # Where the adapter's files lie; nothing when it is not installed.
    param($Products)
    if (-not $Products.ContainsKey('adfs_adapter')) { return }
    $candidates = @((Get-ProductText $Products 'adfs_adapter' 'Location'), (Get-InstallPath), "$env:ProgramFiles\Multi-Factor Authentication Server\")
    foreach ($candidate in @($candidates | Where-Object { $_ })) {
        $folder = $candidate.TrimEnd('\') + '\'
        if ((Test-Path -LiteralPath "${folder}Register-MultiFactorAuthenticationAdfsAdapter.ps1") -or (Test-Path -LiteralPath "${folder}MultiFactorAuthAdfsAdapter.dll")) { return $folder }
    }
}

function Get-AdapterFile {
    # The assembly that AD FS loads: the newest in the global assembly cache, else the one in the adapter's folder.
    param([string] $Folder)
    $found = @()
    foreach ($cache in "$env:SystemRoot\Microsoft.NET\assembly\GAC_MSIL", "$env:SystemRoot\assembly\GAC_MSIL") {
        $versions = "$cache\MultiFactorAuthAdfsAdapter"
        if (-not (Test-Path -LiteralPath $versions)) { continue }
        foreach ($item in @(Get-ChildItem -LiteralPath $versions -Directory -Force)) {
            $file = "$versions\$($item.Name)\MultiFactorAuthAdfsAdapter.dll"
            if (Test-Path -LiteralPath $file -PathType Leaf) { $found += $file }
        }
    }
    $newest = $found | Sort-Object -Property { [System.Reflection.AssemblyName]::GetAssemblyName((Resolve-NativePath $_)).Version } -Descending | Select-Object -First 1
    if ($newest) { return $newest }
    if ($Folder -and (Test-Path -LiteralPath "${Folder}MultiFactorAuthAdfsAdapter.dll" -PathType Leaf)) { "${Folder}MultiFactorAuthAdfsAdapter.dll" }
}

function Get-AdapterInstallTime {
    # The latest of what is known: the file's times, and the end of an installation of ours. A package keeps the time
    # at which a file was written, and Windows may give a replaced file the creation time of the one before.
    param([string] $File)
    if (-not $File) { return $null }
    $item = Get-Item -LiteralPath $File -Force
    $times = @((Format-Utc $item.CreationTimeUtc), (Format-Utc $item.LastWriteTimeUtc))
    $installers = (Get-WorkFolder) + '\installers'
    if (Test-Path -LiteralPath $installers) {
        foreach ($folder in @(Get-ChildItem -LiteralPath $installers -Directory -Force)) {
            $record = Read-Record "$installers\$($folder.Name)\installer.json"
            $end = Read-Record "$installers\$($folder.Name)\exit.json"
            if ($null -ne $record -and $null -ne $end -and $record.File -match 'AdfsAdapter') { $times += $end.FinishedAt }
        }
    }
    # Texts of this form sort by time.
    $times | Sort-Object | Select-Object -Last 1
}

function Read-Record {
    # A JSON file of ours, its names as parameters are named; null when absent.
    param([string] $Path)
    if (-not (Test-Path -LiteralPath $Path -PathType Leaf)) { return $null }
    ConvertFrom-ArgumentText (Get-Content -LiteralPath $Path -Raw -Encoding UTF8)
}

function Get-AuthenticationRule {
    # The provider names that rules issue, by scope.
    $scopes = @(Get-AdfsAdditionalAuthenticationRule | ForEach-Object { @{ Scope = 'global'; Text = [string]$_.AdditionalAuthenticationRules } })
    $scopes += @(Get-AdfsRelyingPartyTrust | ForEach-Object { @{ Scope = "relying party $($_.Name)"; Text = [string]$_.AdditionalAuthenticationRules } })
    foreach ($scope in $scopes) {
        $names = @([regex]::Matches($scope.Text, '(?i)authnmethodsproviders"\s*,\s*value\s*==?\s*"([^"]+)"') | ForEach-Object { $_.Groups[1].Value } | Select-Object -Unique)
        if ($names.Count) { [ordered]@{ scope = $scope.Scope; provider_names = @(Get-SortedName $names) } }
    }
}

function Get-MfaProvider {
    # The registered providers of MFA Server. AD FS's own AzureMfaAuthentication is another thing.
    $registration = Read-Record ((Get-WorkFolder) + '\adapter-registered.json')
    foreach ($provider in @(Get-AdfsAuthenticationProvider)) {
        if ($provider.Name -notmatch '^(WindowsAzureMultiFactorAuthentication|AzureMfaServerAuthentication)$') { continue }
        # Not every version of AD FS shows the type; what was registered from here is known.
        $type = $provider.PSObject.Properties['TypeName']
        $name = if ($null -ne $type) { [string]$type.Value } elseif ($null -ne $registration -and $registration['ProviderName'] -eq $provider.Name) { [string]$registration.TypeName } else { '' }
        [ordered]@{ name = [string]$provider.Name; type_name = $name }
    }
}

function Get-AdfsFact {
    param($Products)
    $service = Get-HostService 'adfssrv'
    if ($null -eq $service) { return $null }
    $fact = [ordered]@{
        service_state = [string]$service.State
        database = Get-AdfsDatabase
        role = $null
        adapter_product_version = Get-ProductText $Products 'adfs_adapter' 'Version'
        adapter_folder = Get-AdapterFolder $Products
        adapter_assembly = $null
        restarted_since_install = $null
        restarted_since_registration = $null
        providers = $null
        policy = $null
        rules = $null
        synchronized = $null
        primary = $null
    }
    $file = Get-AdapterFile $fact.adapter_folder
    if ($file) { $fact.adapter_assembly = [System.Reflection.AssemblyName]::GetAssemblyName((Resolve-NativePath $file)).FullName }
    $started = Get-ServiceStart 'adfssrv'
    $installed = Get-AdapterInstallTime $file
    $registration = Read-Record ((Get-WorkFolder) + '\adapter-registered.json')
    if ($installed) { $fact.restarted_since_install = [bool]($started -and $started -ge $installed) }
    if ($null -ne $registration) { $fact.restarted_since_registration = [bool]($started -and $started -ge $registration.RegisteredAt) }
    # The cmdlets talk to the service, so nothing more can be known while it does not run.
    if ($service.State -ne 'Running') { return $fact }
    if ($fact.database -eq 'wid') {
        $synchronization = Get-AdfsSyncProperties
        $fact.role = [string]$synchronization.Role
        if ($fact.role -eq 'SecondaryComputer') {
            $fact.synchronized = [string]$synchronization.LastSyncStatus -eq '0'
            $fact.primary = [string]$synchronization.PrimaryComputerName
            return $fact
        }
    }
    $fact.providers = @(Get-MfaProvider)
    $fact.policy = @(Get-AdfsPolicyName)
    $fact.rules = @(Get-AuthenticationRule)
    $fact
}

function Get-RunningInstallation {
    if (-not (Get-Command -Name Get-ScheduledTask -ErrorAction SilentlyContinue)) { return }
    $task = Get-OwnTask | Where-Object { [string]$_.State -in 'Running', 'Queued' } | Select-Object -First 1
    if ($null -ne $task) { [string]$task.TaskName }
}

$products = Get-InstalledProduct
$system = Get-CimInstance -ClassName Win32_OperatingSystem
[ordered]@{
    computer_name = $env:COMPUTERNAME
    operating_system = [ordered]@{ caption = ([string]$system.Caption).Trim(); version = [string]$system.Version }
    powershell_version = [string]$PSVersionTable.PSVersion
    administrator = Test-Administrator
    work_folder = Get-WorkFolder
    dotnet_release = Get-RegistryValue "$software\Microsoft\NET Framework Setup\NDP\v4\Full" 'Release'
    vc_redist_x64 = Get-VcRedist 'x64'
    vc_redist_x86 = Get-VcRedist 'x86'
    pending_reboot = @(Get-PendingRebootReason)
    running_installation = Get-RunningInstallation
    server = Get-ServerFact $products
    web = @(Get-WebFact $products)
    adfs = Get-AdfsFact $products
}
