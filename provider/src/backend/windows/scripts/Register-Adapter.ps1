#Requires -Version 5.1
<#
.SYNOPSIS
Registers the AD FS adapter of the installed release with a configuration.
.DESCRIPTION
The vendor's script knows the type name, which has the assembly's version in it. It is read as a syntax tree and never run.
Runs inside _Envelope.ps1, which has the functions that the scripts share.
.PARAMETER ProviderName
The name to register; the vendor's script must say the same.
.PARAMETER RegistrationScript
The vendor's registration script of the installed release.
.PARAMETER ConfigurationPath
The configuration file to register with.
#>
[CmdletBinding()]
param(
    [Parameter(Mandatory = $true)] [string] $ProviderName,
    [Parameter(Mandatory = $true)] [string] $RegistrationScript,
    [Parameter(Mandatory = $true)] [string] $ConfigurationPath
)

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
    # What the vendor's script would register: TypeName and Name.
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

function Write-Registration {
    # Tells Get-HostFacts that AD FS must be restarted after this time.
    param($Registration)
    $record = [ordered]@{ registered_at = Format-Utc ([datetime]::UtcNow); provider_name = $Registration.Name; type_name = $Registration.TypeName }
    Write-TextFile -Path ((Get-WorkFolder) + '\adapter-registered.json') -Text (ConvertTo-AsciiJson $record)
}

foreach ($path in $RegistrationScript, $ConfigurationPath) {
    if (-not (Test-Path -LiteralPath $path -PathType Leaf)) { throw (New-Failure not_found "$path does not exist") }
}
$registration = Get-Registration $RegistrationScript
if ($registration.Name -ne $ProviderName) { throw (New-Failure invalid_input "$RegistrationScript registers $($registration.Name) and not $ProviderName; it belongs to another release") }
Assert-AdfsPrimary
$present = Find-AdfsProvider $ProviderName
[void](Initialize-WorkFolder)
if ($null -ne $present) {
    $type = $present.PSObject.Properties['TypeName']
    if ($null -ne $type -and $type.Value -and [string]$type.Value -ne $registration.TypeName) {
        throw (New-Failure already_exists "$($present.Name) is registered with another type ($($type.Value)); unregister it first")
    }
    # Lost when the run was cut between registering and writing.
    if (-not (Test-Path -LiteralPath ((Get-WorkFolder) + '\adapter-registered.json'))) { Write-Registration $registration }
    return [ordered]@{ type_name = $registration.TypeName; already = $true }
}
# What an earlier registration left would say that AD FS has been restarted since, if this run is cut before it writes.
Remove-Item -LiteralPath ((Get-WorkFolder) + '\adapter-registered.json') -Force -ErrorAction Ignore
$call = @{ TypeName = $registration.TypeName; Name = $registration.Name; ConfigurationFilePath = $ConfigurationPath }
[void](Register-AdfsAuthenticationProvider @call)
Write-Registration $registration
[ordered]@{ type_name = $registration.TypeName; already = $false }
