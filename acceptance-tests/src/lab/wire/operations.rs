//! Carrying out requests: Identify, Get, and the command shell's Create, Command, Send, Receive, Signal and Delete.

use std::fmt::Write as _;
use std::net::IpAddr;
use std::sync::Arc;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;

use crate::lab::wire::command::{Command, GATHERING, Received};
use crate::lab::wire::envelope::{COMMAND_SHELL, Create, Envelope, Operation, namespace};
use crate::lab::wire::fault::Fault;
use crate::lab::wire::host::{ShellIds, SimulatedHost};
use crate::lab::wire::machine::{Account, CommandLine, Process};
use crate::lab::wire::psrp::{self, runspace::Pool};
use crate::lab::wire::reply::{self, Reply, escape};
use crate::lab::wire::shells::{self, Shell};

/// Longest command line of `cmd.exe`, in UTF-16 units.
const CMD_LIMIT: usize = 8191;
/// Longest command line of Windows.
const WINDOWS_LIMIT: usize = 32_767;
/// Room that an answer to Receive needs besides the output.
const RECEIVE_OVERHEAD: usize = 4096;

/// Carries out one request of a logged-on account. Gives the fault's code as well when the answer is one.
pub async fn carry_out(
    host: &SimulatedHost,
    account: &Account,
    peer: IpAddr,
    request: &Envelope,
) -> (Reply, Option<u32>) {
    match answer(host, account, peer, request).await {
        Ok(reply) => (reply, None),
        Err(fault) => (reply::fault(Some(&request.message_id), &fault, host.name()), Some(fault.code)),
    }
}

async fn answer(host: &SimulatedHost, account: &Account, peer: IpAddr, request: &Envelope) -> Result<Reply, Fault> {
    let is_shell = [COMMAND_SHELL, psrp::RESOURCE].contains(&request.resource.as_str());
    if !matches!(request.operation, Operation::Identify | Operation::Get) && !is_shell {
        return Err(Fault::unknown_resource(&request.resource));
    }
    let shell = || {
        let shell = host.shells.find(request.shell_id.as_deref(), &account.name)?;
        if shell.resource() == request.resource { Ok(shell) } else { Err(Fault::shell_not_found(&shell.id)) }
    };
    let done = |name: &str, body: &str| Ok(reply::success(request, &format!("{}/{name}", namespace::SHELL), body));
    match &request.operation {
        Operation::Identify => Ok(reply::identify(&product_version(&host.machine.operating_system_version()))),
        Operation::Get => get(host, account, peer, request),
        Operation::Create(create) => open_shell(host, account, peer, request, create),
        Operation::Command { id, program, arguments } => {
            let id = run(host, account, request, &shell()?, (id.as_deref(), program, arguments))?;
            done(
                "CommandResponse",
                &format!("<rsp:CommandResponse><rsp:CommandId>{id}</rsp:CommandId></rsp:CommandResponse>"),
            )
        }
        Operation::Send { command_id, input, end } => {
            let command = shell()?.command(command_id)?;
            command.send(input.clone(), *end, request.operation_timeout).await?;
            done("SendResponse", "<rsp:SendResponse/>")
        }
        Operation::Receive { command_id } => {
            let received = receive(host, request, &*shell()?, command_id.as_deref()).await?;
            done("ReceiveResponse", &streams(command_id.as_deref(), &received))
        }
        Operation::Signal { command_id, code } => {
            let shell = shell()?;
            signal(&shell, command_id, code)?;
            done("SignalResponse", "<rsp:SignalResponse/>")
        }
        Operation::Delete => {
            host.shells.close(&shell()?.id);
            Ok(reply::success(request, &format!("{}/DeleteResponse", namespace::TRANSFER), ""))
        }
    }
}

/// What Identify says about a Windows of this version.
pub fn product_version(version: &str) -> String {
    format!("OS: {version} SP: 0.0 Stack: 3.0")
}

fn open_shell(
    host: &SimulatedHost,
    account: &Account,
    peer: IpAddr,
    request: &Envelope,
    create: &Create,
) -> Result<Reply, Fault> {
    if request.resource == psrp::RESOURCE {
        let malformed = |error: psrp::Malformed| Fault::schema(&error.to_string());
        let pool = Pool::open(create.creation.as_deref().unwrap_or_default()).map_err(malformed)?;
        let shell = Shell::of_powershell(&account.name, create.clone(), pool);
        return opened(host, peer, request, shell);
    }
    // The PowerShell endpoint lets others in as well.
    if !account.administrator {
        return Err(Fault::access_denied());
    }
    let id = match (host.settings.shell_ids, &create.shell_id) {
        (ShellIds::Refused, Some(_)) => return Err(Fault::schema("ShellId")),
        (ShellIds::Taken, Some(id)) => shells::chosen_id(id).ok_or_else(Fault::invalid_parameter)?,
        _ => shells::new_id(),
    };
    let code_page =
        request.options.get("WINRS_CODEPAGE").map(|page| page.parse().map_err(|_| Fault::invalid_parameter()));
    let no_profile = request.option_is_true("WINRS_NOPROFILE");
    let shell = Shell::new(id, &account.name, code_page.transpose()?.unwrap_or(437), no_profile, create.clone());
    opened(host, peer, request, shell)
}

fn opened(host: &SimulatedHost, peer: IpAddr, request: &Envelope, shell: Shell) -> Result<Reply, Fault> {
    let shell = host.shells.create(shell, &host.settings.quotas)?;
    let body = format!(
        "<x:ResourceCreated><a:Address>{to}</a:Address><a:ReferenceParameters><w:ResourceURI>{resource}\
         </w:ResourceURI><w:SelectorSet><w:Selector Name=\"ShellId\">{id}</w:Selector></w:SelectorSet>\
         </a:ReferenceParameters></x:ResourceCreated>{shell}",
        to = escape(&request.to),
        resource = shell.resource(),
        id = shell.id,
        shell = describe(&shell, peer),
    );
    Ok(reply::success(request, &format!("{}/CreateResponse", namespace::TRANSFER), &body))
}

/// Starts a command, or a pipeline in a shell of PowerShell; gives its identifier.
fn run(
    host: &SimulatedHost,
    account: &Account,
    request: &Envelope,
    shell: &Arc<Shell>,
    (id, program, arguments): (Option<&str>, &str, &[String]),
) -> Result<String, Fault> {
    shell.admit(&host.settings.quotas)?;
    let process = match &shell.runspace {
        Some(runspace) => {
            let create = arguments.first().map_or("", String::as_str);
            runspace.pool.pipeline(&host.machine, create).map_err(|error| Fault::schema(&error.to_string()))?
        }
        None => start(host, account, request, shell, program, arguments)?,
    };
    shell.insert(id, Command::new(process))
}

/// Waits for output of a command, or of the shell itself.
async fn receive(
    host: &SimulatedHost,
    request: &Envelope,
    shell: &Shell,
    command_id: Option<&str>,
) -> Result<Received, Fault> {
    let largest = request.max_envelope_size.min(host.settings.quotas.max_envelope_size_kb * 1024);
    let limit = largest.saturating_sub(RECEIVE_OVERHEAD).max(1024) / 4 * 3;
    let (timeout, gathering) = (request.operation_timeout, host.settings.gathering.unwrap_or(GATHERING));
    let Some(command_id) = command_id else {
        // A command shell itself has no streams.
        let runspace = shell.runspace.as_ref().ok_or_else(Fault::invalid_parameter)?;
        return runspace.streams.receive(timeout, gathering, limit).await;
    };
    let received = shell.command(command_id)?.receive(timeout, gathering, limit).await?;
    if received.exit_code.is_some() {
        shell.forget(command_id);
    }
    Ok(received)
}

fn start(
    host: &SimulatedHost,
    account: &Account,
    request: &Envelope,
    shell: &Arc<Shell>,
    program: &str,
    arguments: &[String],
) -> Result<Process, Fault> {
    let line = CommandLine {
        program: program.to_owned(),
        arguments: arguments.to_vec(),
        skip_cmd_shell: request.option_is_true("WINRS_SKIP_CMD_SHELL"),
        environment: shell.request.environment.clone(),
        working_directory: shell.request.working_directory.clone(),
        code_page: shell.code_page,
        no_profile: shell.no_profile,
        shell_id: shell.id.clone(),
        user: account.name.clone(),
    };
    let length = line.text().encode_utf16().count();
    Ok(match line.skip_cmd_shell {
        true if length > WINDOWS_LIMIT => return Err(Fault::command_line_too_long()),
        // The worst that has been reported (mondoohq/mql issue 10552): nothing runs, and nothing says so.
        false if length > CMD_LIMIT => Process::spawn(|process| process.exit(0)),
        _ => host.machine.start(line),
    })
}

fn signal(shell: &Shell, command_id: &str, code: &str) -> Result<(), Fault> {
    let command = match shell.command(command_id) {
        Ok(command) => command,
        Err(_) if shell.has_ended(command_id) => return Ok(()),
        Err(fault) => return Err(fault),
    };
    let name = code.strip_prefix(namespace::SHELL).unwrap_or_default().to_ascii_lowercase();
    match name.as_str() {
        "/signal/ctrl_c" | "/signal/ctrl_break" => command.interrupt(),
        "/signal/terminate" => {
            command.abort();
            shell.forget(command_id);
        }
        _ => return Err(Fault::invalid_parameter()),
    }
    Ok(())
}

/// What was received of a command, or of the shell itself.
fn streams(command_id: Option<&str>, received: &Received) -> String {
    let of = command_id.map(|id| format!(" CommandId=\"{}\"", escape(id))).unwrap_or_default();
    let mut body = "<rsp:ReceiveResponse>".to_owned();
    let mut push = |text: std::fmt::Arguments<'_>| {
        // Writing to a String cannot fail.
        let _ = body.write_fmt(text);
    };
    for (is_error, bytes) in &received.chunks {
        let name = if *is_error { "stderr" } else { "stdout" };
        let text = BASE64_STANDARD.encode(bytes);
        push(format_args!("<rsp:Stream Name=\"{name}\"{of}>{text}</rsp:Stream>"));
    }
    let state = if received.exit_code.is_some() { "Done" } else { "Running" };
    if received.exit_code.is_some() {
        for name in ["stdout", "stderr"] {
            push(format_args!("<rsp:Stream Name=\"{name}\"{of} End=\"true\"></rsp:Stream>"));
        }
    }
    if command_id.is_some() {
        push(format_args!("<rsp:CommandState{of} State=\"{}/CommandState/{state}\">", namespace::SHELL));
        if let Some(code) = received.exit_code {
            push(format_args!("<rsp:ExitCode>{code}</rsp:ExitCode>"));
        }
        push(format_args!("</rsp:CommandState>"));
    }
    body + "</rsp:ReceiveResponse>"
}

fn get(host: &SimulatedHost, account: &Account, peer: IpAddr, request: &Envelope) -> Result<Reply, Fault> {
    let body = match request.resource.as_str() {
        namespace::CONFIG => configuration(host),
        namespace::SHELL | COMMAND_SHELL => {
            describe(&*host.shells.find(request.shell_id.as_deref(), &account.name)?, peer)
        }
        other => return Err(Fault::unknown_resource(other)),
    };
    Ok(reply::success(request, &format!("{}/GetResponse", namespace::TRANSFER), &body))
}

fn describe(shell: &Shell, peer: IpAddr) -> String {
    format!(
        "<rsp:Shell xmlns:rsp=\"{namespace}\"><rsp:ShellId>{id}</rsp:ShellId><rsp:ResourceUri>{resource}\
         </rsp:ResourceUri><rsp:Owner>{owner}</rsp:Owner><rsp:ClientIP>{peer}</rsp:ClientIP><rsp:IdleTimeOut>{idle}\
         </rsp:IdleTimeOut><rsp:InputStreams>{input}</rsp:InputStreams><rsp:OutputStreams>{output}</rsp:OutputStreams>\
         <rsp:ShellRunTime>P0DT0H0M{age}S</rsp:ShellRunTime><rsp:ShellInactivity>P0DT0H0M0S</rsp:ShellInactivity>\
         <rsp:ChildProcesses>{running}</rsp:ChildProcesses></rsp:Shell>",
        namespace = namespace::SHELL,
        id = shell.id,
        resource = shell.resource(),
        owner = escape(&shell.owner),
        idle = escape(shell.request.idle_timeout.as_deref().unwrap_or("PT7200.000S")),
        input = escape(&shell.request.input_streams),
        output = escape(&shell.request.output_streams),
        age = shell.created.elapsed().as_secs(),
        running = shell.running(),
    )
}

fn configuration(host: &SimulatedHost) -> String {
    let quotas = &host.settings.quotas;
    format!(
        "<cfg:Config xmlns:cfg=\"{namespace}\"><cfg:MaxEnvelopeSizekb>{envelope}</cfg:MaxEnvelopeSizekb>\
         <cfg:MaxTimeoutms>60000</cfg:MaxTimeoutms><cfg:MaxBatchItems>32000</cfg:MaxBatchItems><cfg:Service>\
         <cfg:MaxConcurrentOperationsPerUser>{operations}</cfg:MaxConcurrentOperationsPerUser>\
         <cfg:AllowUnencrypted>false</cfg:AllowUnencrypted></cfg:Service><cfg:Winrs>\
         <cfg:MaxProcessesPerShell>{processes}</cfg:MaxProcessesPerShell>\
         <cfg:MaxShellsPerUser>{shells}</cfg:MaxShellsPerUser></cfg:Winrs></cfg:Config>",
        namespace = namespace::CONFIG,
        envelope = quotas.max_envelope_size_kb,
        operations = quotas.max_concurrent_operations_per_user,
        processes = quotas.max_processes_per_shell,
        shells = quotas.max_shells_per_user,
    )
}
