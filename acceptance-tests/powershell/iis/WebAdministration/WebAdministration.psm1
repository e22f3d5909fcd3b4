# IIS of the simulated host.
$ErrorActionPreference = 'Stop'

function Get-Website {
    [CmdletBinding()]
    param()
    foreach ($site in @((Read-LabState)['iis']['sites'])) {
        $root = @(@($site['applications']) | Where-Object { $_ -and $_['path'] -eq '/' })
        [pscustomobject]@{
            name = $site['name']; id = [long]$site['id']; state = 'Started'
            physicalPath = if ($root.Count) { $root[0]['physical_path'] } else { '%SystemDrive%\inetpub\wwwroot' }
            applicationPool = if ($root.Count) { $root[0]['application_pool'] } else { 'DefaultAppPool' }
        }
    }
}

function Get-WebApplication {
    [CmdletBinding()]
    param([Parameter(Mandatory = $true)] [string] $Site)
    foreach ($found in @((Read-LabState)['iis']['sites'])) {
        if ($found['name'] -ne $Site) { continue }
        foreach ($application in @($found['applications'])) {
            if ($application -and $application['path'] -ne '/') { [pscustomobject]@{ path = $application['path']; applicationPool = $application['application_pool']; PhysicalPath = $application['physical_path'] } }
        }
    }
}

function Get-WebConfiguration {
    [CmdletBinding()]
    param([Parameter(Mandatory = $true)] [string] $PSPath, [Parameter(Mandatory = $true)] [string] $Filter)
    if ($PSPath -ne 'MACHINE/WEBROOT/APPHOST' -or $Filter -ne '/system.applicationHost/applicationPools/add') { throw "the simulated IIS does not know this query: $PSPath $Filter" }
    $pools = (Read-LabState)['iis']['application_pools']
    foreach ($name in @($pools.Keys)) { [pscustomobject]@{ name = $name; managedRuntimeVersion = $pools[$name]['runtime']; managedPipelineMode = $pools[$name]['pipeline']; state = $pools[$name]['state'] } }
}

function Set-WebConfigurationProperty {
    [CmdletBinding()]
    param(
        [Parameter(Mandatory = $true)] [string] $PSPath,
        [Parameter(Mandatory = $true)] [string] $Filter,
        [Parameter(Mandatory = $true)] [ValidateSet('managedRuntimeVersion')] [string] $Name,
        [Parameter(Mandatory = $true)] [string] $Value
    )
    if ($PSPath -ne 'MACHINE/WEBROOT/APPHOST' -or $Filter -notmatch '^/system\.applicationHost/applicationPools/add\[@name=(''([^'']*)''|"([^"]*)")\]$') { throw "the simulated IIS does not know this setting: $PSPath $Filter" }
    $pool = $Matches[1].Substring(1, $Matches[1].Length - 2)
    $change = @{}
    Update-LabState {
        param($state)
        $found = $state['iis']['application_pools'][$pool]
        if (-not $found) { throw "Filter '$Filter' found no element." }
        $change['before'] = $found['runtime']
        $found['runtime'] = $Value
    }
    Add-LabJournal pool_runtime ([ordered]@{ application_pool = $pool; before = $change['before']; after = $Value })
}

Export-ModuleMember -Function *-Web*
