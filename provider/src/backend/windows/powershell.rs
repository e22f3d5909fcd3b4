//! What keeps PowerShell from running scripts, and what to do about it.

/// The cure for language modes that no script of the provider can run in.
pub const CONSTRAINED: &str = "PowerShell must run in FullLanguage mode for this account. Exempt its administrators \
    from the AppLocker or Windows Defender Application Control policy that applies to scripts, and remove the machine's \
    environment variable `__PSLockdownPolicy` if it is set.";

const BLOCKED: &str = "Run `powershell.exe -NoProfile -Command $PSVersionTable` on the host under this account, and check \
    that no policy (AppLocker, Windows Defender Application Control, an antivirus product) keeps it from starting.";

const ENDED: &str = "PowerShell ran the script and ended in the midst of it. Look into the event logs Application and \
    System on the host for what ended it (an antivirus product, a lack of memory, a restart).";

/// The cure for a PowerShell that ended without an answer. Policies that lock it down end it before it can say so itself;
/// `stderr` is what it wrote then, and `ran` whether it had run anything.
pub fn advice(stderr: &str, ran: bool) -> &'static str {
    if stderr.contains("ConstrainedLanguage") || stderr.contains("language mode") {
        CONSTRAINED
    } else if ran {
        ENDED
    } else {
        BLOCKED
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_policy_is_told_by_what_powershell_says_of_it() {
        let constrained = "Cannot invoke method. Method invocation is supported only on core types in this language mode.\n\
             + FullyQualifiedErrorId : MethodInvocationNotSupportedInConstrainedLanguage";
        assert_eq!(advice(constrained, false), CONSTRAINED);
        assert_eq!(advice("Access is denied.", false), BLOCKED);
        assert_eq!(advice("", true), ENDED);
    }
}
