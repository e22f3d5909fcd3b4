//! Real processes of this machine in the place of processes of a simulated host.

use std::process::Stdio;
use std::time::Duration;

use bytes::Bytes;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWriteExt};

use crate::lab::wire::machine::{EXIT_CRASHED, Output, OutputSender, Process, ProcessHost};

/// How long output is waited for after the process has ended.
const LEFT_OVER_OUTPUT: Duration = Duration::from_secs(1);

/// Starts a real process of this machine as a process of the simulated host.
///
/// Its output and exit code are carried over; a kill ends it. A program that cannot be started writes the reason to
/// standard error and exits with 9009, as `cmd.exe` does for an unknown program.
pub fn start(mut command: tokio::process::Command) -> Process {
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    // A group of its own, so that what it started can be ended with it, as Windows' job object does.
    command.kill_on_drop(true).process_group(0);
    Process::spawn(move |host| run(command, host))
}

async fn run(mut command: tokio::process::Command, mut host: ProcessHost) {
    let mut child = match command.spawn() {
        Ok(child) => child,
        Err(error) => {
            let _ = host.stderr(format!("{error}\r\n")).await;
            return host.exit(9009).await;
        }
    };
    let mut group = child.id().map(KillGroup);
    let mut stdin = child.stdin.take();
    let copy_stdout = copy_output(child.stdout.take(), host.output(), Output::Stdout);
    let copy_stderr = copy_output(child.stderr.take(), host.output(), Output::Stderr);
    let copy_stdin = async {
        while let Some(chunk) = host.read_stdin().await {
            // A process that does not read to the end of its input is not an error.
            if let Some(pipe) = stdin.as_mut()
                && pipe.write_all(&chunk).await.is_err()
            {
                stdin = None;
            }
        }
        stdin = None;
        std::future::pending::<i32>().await
    };
    let mut copy_output = std::pin::pin!(async { tokio::join!(copy_stdout, copy_stderr) });
    let ended = async {
        let status = tokio::select! {
            _ = &mut copy_output => child.wait().await,
            status = child.wait() => {
                // What it left running may hold its output open for ever; what it wrote itself is in the pipe by now.
                let _ = tokio::time::timeout(LEFT_OVER_OUTPUT, copy_output).await;
                status
            }
        };
        status.ok().and_then(|status| status.code()).unwrap_or(EXIT_CRASHED)
    };
    let code = tokio::select! {
        code = ended => code,
        code = copy_stdin => code,
    };
    std::mem::forget(group.take());
    host.exit(code).await;
}

/// Kills a process group when dropped.
struct KillGroup(u32);

impl Drop for KillGroup {
    fn drop(&mut self) {
        let group = format!("-{}", self.0);
        // Without a kill program the leader of the group is gone all the same.
        let _ = std::process::Command::new("kill").args(["-KILL", "--", &group]).stderr(Stdio::null()).status();
    }
}

async fn copy_output(pipe: Option<impl AsyncRead + Unpin>, output: OutputSender, wrap: fn(Bytes) -> Output) {
    let Some(mut pipe) = pipe else { return };
    let mut buffer = vec![0; 32 * 1024];
    while let Ok(read @ 1..) = pipe.read(&mut buffer).await {
        if output.send(wrap(Bytes::copy_from_slice(&buffer[..read]))).await.is_err() {
            return;
        }
    }
}
