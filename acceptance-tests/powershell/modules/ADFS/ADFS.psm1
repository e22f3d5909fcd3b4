# AD FS of the simulated host: a farm's configuration database in one file, which a WID secondary cannot change or ask.
$ErrorActionPreference = 'Stop'
$builtIn = 'CertificateAuthentication', 'FormsAuthentication', 'WindowsAuthentication', 'AzureMfaAuthentication'

function Get-LabFarmPath {
    $state = Read-LabState
    if (-not $state['adfs']) { throw 'this host is in no farm' }
    Assert-LabSystem $state 'all'
    if ($state['services']['adfssrv']['state'] -ne 'Running') { throw 'MSIS7612: Could not connect to net.tcp://localhost:1500/policy. The AD FS service does not run.' }
    "$([AzureMfaLab.Files]::Estate)/farms/$($state['adfs']['farm']).json"
}

function Assert-LabSystem {
    # AD FS may grant SYSTEM less than administrators.
    param($State, [string] $What)
    if ((Test-Path -LiteralPath 'Variable:\LabIsSystem') -and $global:LabIsSystem -and $State['adfs']['refuses_system'] -eq $What) { throw 'ADMIN0120: The client is not authorized to access the endpoint net.tcp://localhost:1500/policy.' }
}

function Read-LabFarm { ConvertFrom-Json -InputObject ([System.IO.File]::ReadAllText((Get-LabFarmPath))) -AsHashtable -DateKind String }

function Get-LabPrimaryFarm {
    # The configuration as the cmdlets see it; a WID secondary refuses them all.
    $farm = Read-LabFarm
    if ($farm['database'] -eq 'wid' -and (Read-LabState)['adfs']['role'] -eq 'SecondaryComputer') {
        throw "PS0033: This cmdlet cannot be executed from a secondary server in a local database farm. The primary server is presently: $($farm['primary'])."
    }
    $farm
}

function Update-LabFarm {
    param([scriptblock] $Change)
    [void](Get-LabPrimaryFarm)
    Assert-LabSystem (Read-LabState) 'write'
    $path = Get-LabFarmPath
    $lock = [AzureMfaLab.Files]::Lock([System.IO.Path]::ChangeExtension($path, '.lock'))
    try {
        $farm = Read-LabFarm
        # A secondary loads what it has synchronised, so what was there before is kept.
        $before = [ordered]@{ changed_at = $farm['changed_at']; providers = @(@($farm['providers']) | Where-Object { $_ }) }
        & $Change $farm
        $farm['history'] = @(@($farm['history']) | Where-Object { $_ }) + @($before)
        $farm['changed_at'] = Get-LabNow
        [AzureMfaLab.Files]::Replace($path, (ConvertTo-Json -InputObject $farm -Depth 16))
    }
    finally { $lock.Dispose() }
}

function Get-AdfsSyncProperties {
    [CmdletBinding()]
    param()
    $farm = Read-LabFarm
    $role = (Read-LabState)['adfs']['role']
    if ($farm['database'] -ne 'wid' -or $role -ne 'SecondaryComputer') { return [pscustomobject]@{ Role = 'PrimaryComputer' } }
    $poll = [long]$farm['poll_seconds']
    $ticks = [datetime]::UtcNow.Ticks
    $last = New-Object datetime ($ticks - $ticks % ($poll * [TimeSpan]::TicksPerSecond)), ([System.DateTimeKind]::Utc)
    [pscustomobject]@{ LastSyncFromPrimaryComputerName = $farm['primary']; LastSyncStatus = [int]$(if ($farm.Contains('last_sync_status')) { $farm['last_sync_status'] } else { 0 }); LastSyncTime = $last; PollDuration = [int]$poll; PrimaryComputerName = $farm['primary']; PrimaryComputerPort = 80; Role = $role }
}

function Get-AdfsAuthenticationProvider {
    [CmdletBinding()]
    param()
    foreach ($name in $builtIn) { [pscustomobject]@{ Name = $name; AdminName = $name; IsCustom = $false } }
    foreach ($provider in @((Get-LabPrimaryFarm)['providers'])) {
        if ($provider) { [pscustomobject]@{ Name = $provider['name']; AdminName = 'Azure Multi-Factor Authentication Server'; IsCustom = $true; TypeName = $provider['type_name'] } }
    }
}

function Register-AdfsAuthenticationProvider {
    [CmdletBinding()]
    param(
        [Parameter(Mandatory = $true)] [string] $TypeName,
        [Parameter(Mandatory = $true)] [string] $Name,
        [Parameter(Mandatory = $true)] [string] $ConfigurationFilePath
    )
    $assembly = ($TypeName -split ',\s*', 2)[1]
    if (-not (Test-LabAssembly $assembly)) { throw "PS0114: AuthenticationMethodLoadException: Could not load file or assembly '$assembly' or one of its dependencies. The system cannot find the file specified." }
    $configuration = [System.IO.File]::ReadAllText((Resolve-LabPath $ConfigurationFilePath))
    Update-LabFarm {
        param($farm)
        if (@($farm['providers'] | Where-Object { $_ -and $_['name'] -eq $Name }).Count) { throw "PS0115: An authentication provider with the name $Name is already registered." }
        $farm['providers'] = @(@($farm['providers']) | Where-Object { $_ }) + @([ordered]@{ name = $Name; type_name = $TypeName; configuration = $configuration })
    }
    Write-Warning 'PS0114: The authentication provider was successfully registered with the policy store. To enable this provider, you must restart the AD FS Windows Service on each server in the farm.'
    Add-LabJournal adapter_register ([ordered]@{ provider_name = $Name; type_name = $TypeName })
}

function Unregister-AdfsAuthenticationProvider {
    [CmdletBinding(SupportsShouldProcess = $true)]
    param([Parameter(Mandatory = $true)] [string] $Name)
    if (-not $PSCmdlet.ShouldProcess($Name)) { return }
    Update-LabFarm {
        param($farm)
        if (@($farm['policy']) -contains $Name) { throw "PS0106: The authentication provider $Name is in use by the global authentication policy and cannot be unregistered." }
        if (-not @($farm['providers'] | Where-Object { $_ -and $_['name'] -eq $Name }).Count) { throw "PS0107: There is no authentication provider with the name $Name." }
        $farm['providers'] = @(@($farm['providers']) | Where-Object { $_ -and $_['name'] -ne $Name })
    }
    Write-Warning 'PS0103: The authentication provider was successfully unregistered from the policy store. Restart the AD FS Windows Service on each server in the farm.'
    Add-LabJournal adapter_unregister ([ordered]@{ provider_name = $Name })
}

function Get-AdfsGlobalAuthenticationPolicy {
    [CmdletBinding()]
    param()
    [pscustomobject]@{ AdditionalAuthenticationProvider = [string[]]@(@((Get-LabPrimaryFarm)['policy']) | Where-Object { $_ }) }
}

function Set-AdfsGlobalAuthenticationPolicy {
    [CmdletBinding(SupportsShouldProcess = $true)]
    param([Parameter(Mandatory = $true)] [AllowNull()] [string[]] $AdditionalAuthenticationProvider)
    if (-not $PSCmdlet.ShouldProcess('the global policy')) { return }
    $names = [string[]]@($AdditionalAuthenticationProvider | Where-Object { $_ })
    $before = [string[]](Get-AdfsGlobalAuthenticationPolicy).AdditionalAuthenticationProvider
    $known = @(Get-AdfsAuthenticationProvider | ForEach-Object { $_.Name })
    foreach ($name in $names) { if ($known -notcontains $name) { throw "PS0105: There is no authentication provider with the name $name." } }
    Update-LabFarm { param($farm) $farm['policy'] = $names }
    if (($before -join "`n") -ceq ($names -join "`n")) { return }
    Add-LabJournal adapter_policy ([ordered]@{ before = $before; after = $names })
}

function Export-AdfsAuthenticationProviderConfigurationData {
    [CmdletBinding(SupportsShouldProcess = $true)]
    param([Parameter(Mandatory = $true)] [string] $Name, [Parameter(Mandatory = $true)] [string] $FilePath)
    if (-not $PSCmdlet.ShouldProcess($Name)) { return }
    $provider = @((Get-LabPrimaryFarm)['providers'] | Where-Object { $_ -and $_['name'] -eq $Name })
    if (-not $provider.Count) { throw "PS0107: There is no authentication provider with the name $Name." }
    [System.IO.File]::WriteAllText((Resolve-LabPath $FilePath), [string]$provider[0]['configuration'])
}

function Get-AdfsAdditionalAuthenticationRule {
    [CmdletBinding()]
    param()
    [pscustomobject]@{ AdditionalAuthenticationRules = [string](Get-LabPrimaryFarm)['global_rules'] }
}

function Get-AdfsRelyingPartyTrust {
    [CmdletBinding()]
    param()
    foreach ($party in @((Get-LabPrimaryFarm)['relying_parties'])) {
        if ($party) { [pscustomobject]@{ Name = $party['name']; AdditionalAuthenticationRules = [string]$party['rules'] } }
    }
}

Export-ModuleMember -Function *-Adfs*
